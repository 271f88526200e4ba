import { Alert, Button, Code, Group, SimpleGrid, Stack } from "@mantine/core";
import { Keep } from "../parts/Secret";

const asFile = (codes: string[]) =>
  `Backup codes of Homeport at ${location.host}\nEach is good once, in place of the code of the phone.\n\n${codes.join("\n")}\n`;

/** The codes that stand in for a lost phone, shown this once. */
export function BackupCodes({ codes, done }: { codes: string[]; done: () => void }) {
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
      <Keep text={codes.join("\n")} file="homeport-backup-codes.txt" content={asFile(codes)} />
      <Group>
        <Button onClick={done}>I have kept them</Button>
      </Group>
    </Stack>
  );
}
