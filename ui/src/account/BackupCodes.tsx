import { Alert, Button, Code, Group, SimpleGrid, Stack } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconCheck, IconCopy, IconDownload } from "@tabler/icons-react";
import { download } from "../parts/download";

const asFile = (codes: string[]) =>
  `Backup codes of Homeport at ${location.host}\nEach is good once, in place of the code of the phone.\n\n${codes.join("\n")}\n`;

/** The codes that stand in for a lost phone, shown this once. */
export function BackupCodes({ codes, done }: { codes: string[]; done: () => void }) {
  const { copied, copy } = useClipboard({ timeout: 1500 });
  return (
    <Stack gap="sm">
      <Alert color="yellow" p="xs">
        These backup codes are shown only now. Each lets you in once when you do not have your phone: keep them where
        you keep your passwords.
      </Alert>
      <SimpleGrid cols={{ base: 2, xs: 5 }} spacing={6} data-testid="backup-codes" maw={560}>
        {codes.map((code) => (
          <Code key={code} ta="center" fz="sm" py={4}>
            {code}
          </Code>
        ))}
      </SimpleGrid>
      <Group gap="xs">
        <Button
          variant="default"
          leftSection={copied ? <IconCheck size={16} color="var(--good)" /> : <IconCopy size={16} />}
          onClick={() => copy(codes.join("\n"))}
        >
          {copied ? "Copied" : "Copy"}
        </Button>
        <Button
          variant="default"
          leftSection={<IconDownload size={16} />}
          onClick={() => download("homeport-backup-codes.txt", asFile(codes))}
        >
          Download
        </Button>
        <Button onClick={done}>I have kept them</Button>
      </Group>
    </Stack>
  );
}
