import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Secret } from "../parts/Secret";
import { tell } from "../parts/tell";
import { Confirm } from "./Confirm";
import { admin } from "./calls";
import type { Person } from "./types";

interface Props {
  person: Person;
  close: () => void;
}

/** An act on an account: says that it is done, closes, and shows the list as it is then. */
function useAct<T>(close: () => void, act: () => Promise<T>, done: string, stays = false) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: act,
    onSuccess: () => {
      if (!stays) {
        tell(done);
        close();
      }
      return client.invalidateQueries({ queryKey: ["admin", "people"] });
    },
  });
}

/** A new password, made by the portal and shown once. */
export function ResetPassword({ person, close }: Props) {
  const reset = useAct(close, () => admin.resetPassword(person.id), "", true);
  if (reset.data?.password)
    return (
      <Modal opened onClose={close} title={`New password of ${person.username}`} closeOnClickOutside={false}>
        <Stack>
          <Secret
            what="The new password"
            text={reset.data.password}
            file={`${person.username}-password.txt`}
            testId="new-password"
          />
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      </Modal>
    );
  return (
    <Confirm
      title={`Reset the password of ${person.username}?`}
      verb="Reset"
      close={close}
      run={() => reset.mutate()}
      busy={reset.isPending}
      error={reset.error}
    >
      <Text size="sm">
        The old one stops working at once, and everything they are signed in on ends. You see the new one this once.
      </Text>
    </Confirm>
  );
}

/** For somebody who lost the device and the backup codes. */
export function ResetSecondFactor({ person, close }: Props) {
  const reset = useAct(
    close,
    () => admin.resetSecondFactor(person.id),
    `${person.username} signs in with the password alone now.`,
  );
  return (
    <Confirm
      title={`Take off the second factor of ${person.username}?`}
      verb="Take off"
      close={close}
      run={() => reset.mutate()}
      busy={reset.isPending}
      error={reset.error}
    >
      <Text size="sm">
        The password alone lets them in until they set up a new one. Make sure that it is really them who asks.
      </Text>
    </Confirm>
  );
}

/** Keeps somebody out, without deleting what they have. */
export function BanDialog({ person, close }: Props) {
  const [reason, setReason] = useState("");
  const ban = useAct(close, () => admin.ban(person.id, reason.trim()), `${person.username} is banned.`);
  return (
    <Confirm
      title={`Ban ${person.username}?`}
      verb="Ban"
      close={close}
      run={() => ban.mutate()}
      busy={ban.isPending}
      error={ban.error}
    >
      <Text size="sm">
        Their sessions and keys stop working at once, and they cannot sign in. What they made stays, and you can lift
        the ban.
      </Text>
      <TextInput
        label="Reason"
        description="Optional; they see it when they try to sign in"
        maxLength={200}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </Confirm>
  );
}

/** The account is gone for good. */
export function RemoveDialog({ person, close }: Props) {
  const remove = useAct(close, () => admin.removePerson(person.id), `${person.username} was deleted.`);
  return (
    <Confirm
      title={`Delete ${person.username}?`}
      verb={`Delete ${person.username}`}
      name={person.username}
      close={close}
      run={() => remove.mutate()}
      busy={remove.isPending}
      error={remove.error}
    >
      <Text size="sm">
        The account, its keys, passkeys and sessions are gone. What it did stays in the audit log. This cannot be
        undone.
      </Text>
    </Confirm>
  );
}
