import { Alert, Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, type ReactNode, useState } from "react";

interface ConfirmProps {
  title: string;
  /** The verb on the button that does it. */
  verb: string;
  children: ReactNode;
  close: () => void;
  run: () => void;
  busy: boolean;
  error: Error | null;
  /** What has to be typed first, for what cannot be undone. */
  name?: string;
}

/** Asks before something ends: what happens then, and whether it can be undone. */
export function Confirm({ title, verb, children, close, run, busy, error, name }: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const sure = name === undefined || typed === name;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (sure) run();
  };
  return (
    <Modal opened onClose={close} title={title}>
      <form onSubmit={submit}>
        <Stack>
          {error && (
            <Alert color="red" p="xs" role="alert">
              {error.message}
            </Alert>
          )}
          {children}
          {name !== undefined && (
            <TextInput
              label={
                <>
                  Type <strong>{name}</strong> to confirm
                </>
              }
              data-autofocus
              autoComplete="off"
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          )}
          <Group justify="flex-end">
            <Button variant="default" data-autofocus={name === undefined || undefined} onClick={close}>
              Cancel
            </Button>
            <Button type="submit" color="red" loading={busy} disabled={!sure}>
              {verb}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
