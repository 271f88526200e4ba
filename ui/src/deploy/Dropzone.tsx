import { Button, CloseButton, Group, Loader, Paper, Stack, Text } from "@mantine/core";
import { IconFileZip, IconFolder, IconFolderUp } from "@tabler/icons-react";
import { type DragEvent, useRef, useState } from "react";
import { bytes, count } from "../parts/numbers";
import { type Collected, fromDrop, fromInput } from "./collect";
import classes from "./Dropzone.module.css";

/** Takes a folder or an archive, by dropping or choosing, and says what will be sent. */
export function Dropzone({
  collected,
  change,
}: {
  collected: Collected | null;
  change: (collected: Collected | null) => void;
}) {
  const folder = useRef<HTMLInputElement>(null);
  const archive = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const take = async (collecting: Promise<Collected>) => {
    setBusy(true);
    setProblem(null);
    try {
      change(await collecting);
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setBusy(false);
    }
  };
  const hover = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(fromDrop(event.dataTransfer));
  };
  if (collected)
    return (
      <Paper p="md">
        <Group wrap="nowrap" align="flex-start">
          {collected.files ? (
            <IconFolder size={22} stroke={1.6} aria-hidden />
          ) : (
            <IconFileZip size={22} stroke={1.6} aria-hidden />
          )}
          <Stack gap={2} flex={1} miw={0}>
            <Text fw={600} size="sm" style={{ overflowWrap: "anywhere" }}>
              {collected.name}
            </Text>
            <Text size="xs" c="dimmed">
              {collected.files > 0 && `${count(collected.files, "file")}, ${bytes(collected.bytes)}; `}
              {bytes(collected.file.size)} to send
            </Text>
            {collected.skipped.length > 0 && (
              <Text size="xs" c="dimmed">
                Left out: {collected.skipped.join(", ")}
              </Text>
            )}
          </Stack>
          <CloseButton aria-label="Choose something else" onClick={() => change(null)} />
        </Group>
      </Paper>
    );
  return (
    <div>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the buttons inside do the same by keyboard */}
      <div
        className={classes.zone}
        data-over={over || undefined}
        onDragOver={hover}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        {busy ? <Loader size="sm" /> : <IconFolderUp size={30} stroke={1.4} aria-hidden />}
        <Text size="sm" fw={550}>
          {busy ? "Packing…" : "Drop a folder or an archive here"}
        </Text>
        <Group gap="xs" justify="center">
          <Button size="xs" variant="default" onClick={() => folder.current?.click()}>
            Choose a folder
          </Button>
          <Button size="xs" variant="default" onClick={() => archive.current?.click()}>
            Choose an archive
          </Button>
        </Group>
        <Text size="xs" c="dimmed" ta="center">
          .gitignore is honoured; .git and node_modules are left out. Archives: .zip, .tar, .tar.gz
        </Text>
        <input
          ref={folder}
          type="file"
          hidden
          multiple
          aria-label="Folder"
          {...{ webkitdirectory: "" }}
          onChange={(event) => event.target.files?.length && take(fromInput(event.target.files))}
        />
        <input
          ref={archive}
          type="file"
          hidden
          accept=".zip,.tar,.tar.gz,.tgz"
          aria-label="Archive"
          onChange={(event) => event.target.files?.length && take(fromInput(event.target.files))}
        />
      </div>
      {problem && (
        <Text size="xs" c="red" mt={6} role="alert">
          {problem}
        </Text>
      )}
    </div>
  );
}
