import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, type ReactNode, useState } from "react";
import type { Doing } from "./act";
import { Refused } from "./problems";

interface ConfirmProps {
  title: string;
  /** The verb on the button that does it. */
  verb: string;
  act: Doing;
  close: () => void;
  children: ReactNode;
  /** What has to be typed first, for what cannot be undone. */
  name?: string;
}

/** Asks before something ends: what happens then, and whether it can be undone. */
export function Confirm({ title, verb, act, close, children, name }: ConfirmProps) {
  const [typed, setTyped] = useState("");
  const sure = name === undefined || typed === name;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (sure && !act.isPending) act.mutate();
  };
  return (
    <Modal opened onClose={close} title={title}>
      <form onSubmit={submit}>
        <Stack>
          <Refused error={act.error} />
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
            <Button type="submit" color="red" loading={act.isPending} disabled={!sure}>
              {verb}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
