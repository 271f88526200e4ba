import { Alert, Button, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { usernameProblem } from "../account/password";
import { ApiError } from "../api/client";
import { Secret } from "../parts/Secret";
import { tell } from "../parts/tell";
import { admin } from "./calls";
import { ROLE_WORDS } from "./RoleDialog";
import type { Role } from "./types";

/** A new account; its first password is made by the portal and shown once. */
export function AddPerson({ roles, close }: { roles: Role[]; close: () => void }) {
  const client = useQueryClient();
  const [username, setUsername] = useState("");
  const [email, setEmail] = useState("");
  const [tried, setTried] = useState(false);
  const [role, setRole] = useState<Role>("user");
  const add = useMutation({
    mutationFn: () => admin.addPerson({ username: username.trim(), email: email.trim() || undefined, role }),
    onSuccess: (person) => {
      if (!person.password) {
        tell(`${person.username} has an account now.`);
        close();
      }
      return client.invalidateQueries({ queryKey: ["admin", "people"] });
    },
  });
  const fields = add.error instanceof ApiError ? add.error.fields : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!usernameProblem(username.trim())) add.mutate();
  };
  const made = add.data;
  if (made?.password)
    return (
      <Modal opened onClose={close} title={`${made.username} has an account`} closeOnClickOutside={false}>
        <Stack>
          <Secret
            what="The first password"
            text={made.password}
            file={`${made.username}-password.txt`}
            testId="new-password"
          />
          <Text size="sm" c="dimmed">
            Give it to them in person or over a safe way; they can change it on their account page.
          </Text>
          <Group justify="flex-end">
            <Button onClick={close}>Done</Button>
          </Group>
        </Stack>
      </Modal>
    );
  return (
    <Modal opened onClose={close} title="Add a user">
      <form onSubmit={submit}>
        <Stack>
          {add.error && Object.keys(fields).length === 0 && (
            <Alert color="red" p="xs" role="alert">
              {add.error.message}
            </Alert>
          )}
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
            error={(tried && usernameProblem(username.trim())) || fields.username}
            onChange={(event) => setUsername(event.currentTarget.value)}
          />
          <TextInput
            label="E-mail"
            description="Optional; to sign in with instead of the name"
            type="email"
            value={email}
            error={fields.email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <Select
            label="Role"
            allowDeselect={false}
            data={roles.map((one) => ({ value: one, label: ROLE_WORDS[one] }))}
            value={role}
            error={fields.role}
            onChange={(next) => setRole((next ?? "user") as Role)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={add.isPending} disabled={!username.trim()}>
              Add
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
