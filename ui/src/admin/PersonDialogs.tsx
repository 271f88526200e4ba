import { Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { Made } from "../parts/FormDialog";
import { Secret } from "../parts/Secret";
import { admin } from "./calls";
import type { Person } from "./types";

interface Props {
  person: Person;
  close: () => void;
}

const refresh = [["admin", "people"]];

/** A new password, made by the portal and shown once. */
export function ResetPassword({ person, close }: Props) {
  const reset = useAct({ run: () => admin.resetPassword(person.id), refresh });
  if (reset.data)
    return (
      <Made title={`New password of ${person.username}`} close={close}>
        <Secret
          what="The new password"
          text={reset.data.password ?? ""}
          file={`${person.username}-password.txt`}
          testId="new-password"
        />
      </Made>
    );
  return (
    <Confirm title={`Reset the password of ${person.username}?`} verb="Reset" act={reset} close={close}>
      <Text size="sm">
        The old one stops working at once, and everything they are signed in on ends. You see the new one this once.
      </Text>
    </Confirm>
  );
}

/** For somebody who lost the device and the backup codes. */
export function ResetSecondFactor({ person, close }: Props) {
  const reset = useAct({
    run: () => admin.resetSecondFactor(person.id),
    done: () => `${person.username} signs in with the password alone now.`,
    close,
    refresh,
  });
  return (
    <Confirm title={`Take off the second factor of ${person.username}?`} verb="Take off" act={reset} close={close}>
      <Text size="sm">
        The password alone lets them in until they set up a new one. Make sure that it is really them who asks.
      </Text>
    </Confirm>
  );
}

/** Keeps somebody out, without deleting what they have. */
export function BanDialog({ person, close }: Props) {
  const [reason, setReason] = useState("");
  const ban = useAct({
    run: () => admin.ban(person.id, reason.trim()),
    done: () => `${person.username} is banned.`,
    close,
    refresh,
  });
  return (
    <Confirm title={`Ban ${person.username}?`} verb="Ban" act={ban} close={close}>
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
  const remove = useAct({
    run: () => admin.removePerson(person.id),
    done: () => `${person.username} was deleted.`,
    close,
    refresh,
  });
  return (
    <Confirm
      title={`Delete ${person.username}?`}
      verb={`Delete ${person.username}`}
      name={person.username}
      act={remove}
      close={close}
    >
      <Text size="sm">
        The account, its keys, passkeys and sessions are gone. What it did stays in the audit log. This cannot be
        undone.
      </Text>
    </Confirm>
  );
}
