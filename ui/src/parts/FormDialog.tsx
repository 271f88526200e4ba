import { Button, Group, Modal, type ModalProps, Stack } from "@mantine/core";
import type { FormEvent, ReactNode } from "react";
import type { Doing } from "./act";
import { Refused } from "./problems";

interface FormDialogProps {
  title: string;
  /** The word on the button that sends it. */
  verb: string;
  act: Doing;
  close: () => void;
  children: ReactNode;
  /** Enough is filled in to send it. */
  ready?: boolean;
  /** In place of sending at once: looks at the fields first. */
  submit?: () => void;
  /** The fields that show the server's problems themselves. */
  fields?: string[];
  size?: ModalProps["size"];
}

/** A form in a dialog: what the server refused, the fields, cancel and send. */
export function FormDialog({ title, verb, act, close, children, ready = true, submit, fields, size }: FormDialogProps) {
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !act.isPending) (submit ?? act.mutate)();
  };
  return (
    <Modal opened onClose={close} title={title} size={size}>
      <form onSubmit={send} noValidate>
        <Stack>
          <Refused error={act.error} shown={fields} />
          {children}
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={act.isPending} disabled={!ready}>
              {verb}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

interface MadeProps {
  title: string;
  close: () => void;
  children: ReactNode;
  size?: ModalProps["size"];
}

/** What was made, shown until the person says that they have it: a click beside the dialog does not lose it. */
export function Made({ title, close, children, size }: MadeProps) {
  return (
    <Modal opened onClose={close} title={title} closeOnClickOutside={false} size={size}>
      <Stack>
        {children}
        <Group justify="flex-end">
          <Button onClick={close}>Done</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
