import { Alert, Button, Code, Group, Stack, Text } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconCheck, IconCopy, IconDownload } from "@tabler/icons-react";
import { download } from "./download";

interface SecretProps {
  /** What it is, as a sentence begins: "This key". */
  what: string;
  text: string;
  /** The name of the file that "Download" gives. */
  file: string;
  /** What the file holds, where that is more than the text and a line feed. */
  content?: string | Blob;
  testId?: string;
  high?: boolean;
}

/** A secret that is shown this once, to copy and to download. */
export function Secret({ what, text, file, content = `${text}\n`, testId, high }: SecretProps) {
  return (
    <Stack gap="xs">
      <Alert color="yellow" variant="light" p="xs">
        {what} is shown only now. Copy or download it before you close this.
      </Alert>
      <Code
        block
        style={{
          overflowWrap: "anywhere",
          whiteSpace: "pre-wrap",
          maxHeight: high ? 240 : undefined,
          overflow: "auto",
        }}
        data-testid={testId}
        tabIndex={0}
      >
        {text}
      </Code>
      <Keep text={text} file={file} content={content} />
    </Stack>
  );
}

interface KeepProps {
  text: string;
  file: string;
  content: string | Blob;
}

/** The two ways to keep something: copied, or as a file. */
export function Keep({ text, file, content }: KeepProps) {
  const { copied, copy } = useClipboard({ timeout: 1500 });
  return (
    <Group gap="xs">
      <Button
        size="xs"
        variant="default"
        leftSection={copied ? <IconCheck size={15} color="var(--good)" /> : <IconCopy size={15} />}
        onClick={() => copy(text)}
      >
        {copied ? "Copied" : "Copy"}
      </Button>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconDownload size={15} />}
        onClick={() => download(file, content)}
      >
        Download
      </Button>
      <Text size="xs" c="dimmed">
        {file}
      </Text>
    </Group>
  );
}
