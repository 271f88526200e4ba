import { ActionIcon, Badge, Button, Group, Modal, Stack, Text, Textarea, TextInput, Tooltip } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconClipboardText, IconEye, IconPlus, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { count } from "../parts/numbers";
import { readEnv, variableProblem } from "./env";
import classes from "./Variables.module.css";

export interface Row {
  key: string;
  name: string;
  value: string;
  /** Known to the server under this name; a new row has none. */
  known?: boolean;
  secret?: boolean;
  generated?: boolean;
  /** The value is not here: it stays as it is unless typed anew. */
  masked?: boolean;
}

export const newRow = (name = "", value = ""): Row => ({ key: crypto.randomUUID(), name, value });

/** Why the rows cannot be saved, by the key of the row. */
export function rowProblems(rows: Row[]): Record<string, string> {
  const problems: Record<string, string> = {};
  const seen = new Set<string>();
  for (const { key, name, value } of rows) {
    if (!name && !value) continue;
    const problem = variableProblem(name) ?? (seen.has(name) ? "This name is there already." : null);
    if (problem) problems[key] = problem;
    seen.add(name);
  }
  return problems;
}

interface Props {
  rows: Row[];
  change: (rows: Row[]) => void;
  /** Shows the secret values; not given where the person may not. */
  reveal?: () => void;
  disabled?: boolean;
  errors?: Record<string, string>;
}

/** Names and values, edited as rows or pasted as a .env file. */
export function Variables({ rows, change, reveal, disabled, errors = {} }: Props) {
  const [pasting, { open, close }] = useDisclosure(false);
  const problems = rowProblems(rows);
  const set = (key: string, part: Partial<Row>) =>
    change(rows.map((row) => (row.key === key ? { ...row, ...part } : row)));
  const merge = (text: string) => {
    const next = [...rows];
    for (const { name, value } of readEnv(text).pairs) {
      const at = next.findIndex((row) => row.name === name);
      const row = next[at];
      if (row) next[at] = { ...row, value, masked: false };
      else next.push(newRow(name, value));
    }
    change(next.filter((row) => row.name || row.value));
    close();
  };
  return (
    <Stack gap={6}>
      {rows.map((row) => (
        <div key={row.key} className={classes.row} data-variable={row.name}>
          <TextInput
            size="xs"
            aria-label="Variable name"
            placeholder="NAME"
            className={classes.mono}
            value={row.name}
            readOnly={row.known || disabled}
            variant={row.known ? "unstyled" : "default"}
            rightSectionWidth={86}
            rightSection={
              row.generated && (
                <Tooltip label="Made by Homeport at the first deploy, and kept">
                  <Badge size="xs" variant="light" color="gray" tt="none">
                    generated
                  </Badge>
                </Tooltip>
              )
            }
            error={problems[row.key]}
            onChange={(event) => set(row.key, { name: event.currentTarget.value })}
          />
          <TextInput
            size="xs"
            aria-label={`Value of ${row.name || "the variable"}`}
            placeholder={row.masked ? "••••••••" : "value"}
            className={classes.mono}
            value={row.masked ? "" : row.value}
            readOnly={disabled}
            error={errors[row.name]}
            rightSection={
              row.masked &&
              reveal && (
                <Tooltip label="Show the secret values">
                  <ActionIcon size="sm" aria-label={`Show the value of ${row.name}`} onClick={reveal}>
                    <IconEye size={15} />
                  </ActionIcon>
                </Tooltip>
              )
            }
            onChange={(event) => set(row.key, { value: event.currentTarget.value, masked: false })}
          />
          {disabled ? (
            <span />
          ) : (
            <Tooltip label="Remove">
              <ActionIcon
                mt={3}
                size="sm"
                aria-label={`Remove ${row.name || "this row"}`}
                onClick={() => change(rows.filter((one) => one.key !== row.key))}
              >
                <IconTrash size={15} />
              </ActionIcon>
            </Tooltip>
          )}
        </div>
      ))}
      {!disabled && (
        <Group gap="xs">
          <Button
            size="compact-sm"
            variant="subtle"
            leftSection={<IconPlus size={14} />}
            onClick={() => change([...rows, newRow()])}
          >
            Add a variable
          </Button>
          <Button size="compact-sm" variant="subtle" leftSection={<IconClipboardText size={14} />} onClick={open}>
            Paste .env
          </Button>
        </Group>
      )}
      <Modal opened={pasting} onClose={close} title="Paste a .env file" size="lg">
        <Paste merge={merge} />
      </Modal>
    </Stack>
  );
}

function Paste({ merge }: { merge: (text: string) => void }) {
  const [text, setText] = useState("");
  const { pairs, unread } = readEnv(text);
  return (
    <Stack>
      <Textarea
        data-autofocus
        autosize
        minRows={8}
        maxRows={18}
        aria-label="Text of the .env file"
        placeholder={"DATABASE_URL=postgres://…\nDEBUG=false"}
        className={classes.mono}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {unread.length > 0 && (
        <Text size="xs" c="red">
          Not read: {unread.slice(0, 3).join(" · ")}
        </Text>
      )}
      <Group justify="flex-end">
        <Button disabled={pairs.length === 0} onClick={() => merge(text)}>
          {pairs.length ? `Add ${count(pairs.length, "variable")}` : "Add"}
        </Button>
      </Group>
    </Stack>
  );
}
