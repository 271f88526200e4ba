import { Radio, Stack, TagsInput, Text } from "@mantine/core";
import { useState } from "react";
import { SCOPES } from "../account/scopes";
import { useAct } from "../parts/act";
import { FormDialog } from "../parts/FormDialog";
import { fieldsOf } from "../parts/problems";
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
  const [role, setRole] = useState<Role>(person.role);
  const [scopes, setScopes] = useState<string[]>(given(person));
  const save = useAct({
    run: () => admin.setRole(person.id, { role, ...(scopes.length && { scopes: scopes.join(",") }) }),
    done: () => `${person.username} is ${role} now. It counts at once.`,
    close,
    refresh: [["admin", "people"]],
  });
  const problems = fieldsOf(save.error);
  return (
    <FormDialog
      title={`What ${person.username} may do`}
      verb="Save"
      act={save}
      close={close}
      fields={["role", "scopes"]}
    >
      <Radio.Group label="Role" value={role} onChange={(next) => setRole(next as Role)} error={problems.role}>
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
        error={problems.scopes}
        splitChars={[",", " "]}
        onChange={setScopes}
      />
      <Text size="xs" c="dimmed">
        Nobody can give more than they have themselves.
      </Text>
    </FormDialog>
  );
}
