import { Alert, Button, Group, Modal, Radio, Stack, TagsInput, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { SCOPES } from "../account/scopes";
import { ApiError } from "../api/client";
import { tell } from "../parts/tell";
import { admin } from "./calls";
import type { Person, Role } from "./types";
import { listOf } from "./words";

export const ROLE_WORDS: Record<Role, string> = {
  user: "User: what you let them see",
  moderator: "Moderator: and people, audit log",
  admin: "Administrator: everything but accounts of administrators",
  superadmin: "Superadmin: everything",
};
const KNOWN = SCOPES.map((one) => one.scope);
const given = (person: Person) => (person.scopes_given ? listOf(person.scopes) : []);

/** What a person may do: a role, and scopes where the role's own are too many or too few. */
export function RoleDialog({ person, roles, close }: { person: Person; roles: Role[]; close: () => void }) {
  const client = useQueryClient();
  const [role, setRole] = useState<Role>(person.role);
  const [scopes, setScopes] = useState<string[]>(given(person));
  const save = useMutation({
    mutationFn: () => admin.setRole(person.id, { role, ...(scopes.length && { scopes: scopes.join(",") }) }),
    onSuccess: () => {
      tell(`${person.username} is ${role} now. It counts at once.`);
      close();
      return client.invalidateQueries({ queryKey: ["admin", "people"] });
    },
  });
  const fields = save.error instanceof ApiError ? save.error.fields : {};
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Modal opened onClose={close} title={`What ${person.username} may do`}>
      <form onSubmit={submit}>
        <Stack>
          {save.error && Object.keys(fields).length === 0 && (
            <Alert color="red" p="xs" role="alert">
              {save.error.message}
            </Alert>
          )}
          <Radio.Group label="Role" value={role} onChange={(next) => setRole(next as Role)} error={fields.role}>
            <Stack gap={8} mt={6}>
              {[...new Set([person.role, ...roles])].map((one) => (
                <Radio key={one} value={one} label={ROLE_WORDS[one]} />
              ))}
            </Stack>
          </Radio.Group>
          <TagsInput
            label="Scopes"
            description="Empty: what the role brings. Otherwise only these, as services:read or access:*"
            placeholder={scopes.length ? undefined : "What the role brings"}
            data={KNOWN}
            value={scopes}
            error={fields.scopes}
            splitChars={[",", " "]}
            onChange={setScopes}
          />
          <Text size="xs" c="dimmed">
            Nobody can give more than they have themselves.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
