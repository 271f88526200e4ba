import { Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { usernameProblem } from "../account/password";
import { useAct } from "../parts/act";
import { FormDialog, Made } from "../parts/FormDialog";
import { fieldsOf } from "../parts/problems";
import { Secret } from "../parts/Secret";
import { admin } from "./calls";
import { NEWCOMER_FIELDS, NewcomerFields, useNewcomer } from "./NewcomerFields";
import type { Role } from "./types";

/** A new account; its first password is made by the portal and shown once. */
export function AddPerson({ roles, close }: { roles: Role[]; close: () => void }) {
  const [username, setUsername] = useState("");
  const [email, setEmail] = useState("");
  const [tried, setTried] = useState(false);
  const newcomer = useNewcomer();
  const add = useAct({
    run: () => admin.addPerson({ username: username.trim(), email: email.trim() || undefined, ...newcomer.body }),
    refresh: [["admin", "people"]],
  });
  const problems = fieldsOf(add.error);
  const made = add.data;
  if (made)
    return (
      <Made title={`${made.username} has an account`} close={close}>
        <Secret
          what="The first password"
          text={made.password ?? ""}
          file={`${made.username}-password.txt`}
          testId="new-password"
        />
        <Text size="sm" c="dimmed">
          Give it to them in person or over a safe way; they can change it on their account page.
        </Text>
      </Made>
    );
  return (
    <FormDialog
      title="Add a user"
      verb="Add"
      act={add}
      close={close}
      ready={Boolean(username.trim()) && newcomer.ready}
      submit={() => {
        setTried(true);
        if (!usernameProblem(username.trim())) add.mutate();
      }}
      fields={["username", "email", ...NEWCOMER_FIELDS]}
    >
      <TextInput
        label="User name"
        description="3 to 30 letters, digits, - and _; to sign in with"
        data-autofocus
        required
        withAsterisk={false}
        autoCapitalize="none"
        spellCheck={false}
        maxLength={30}
        value={username}
        error={(tried && usernameProblem(username.trim())) || problems.username}
        onChange={(event) => setUsername(event.currentTarget.value)}
      />
      <TextInput
        label="E-mail"
        description="Optional; to sign in with instead of the name"
        type="email"
        value={email}
        error={problems.email}
        onChange={(event) => setEmail(event.currentTarget.value)}
      />
      <NewcomerFields newcomer={newcomer} roles={roles} problems={problems} />
    </FormDialog>
  );
}
