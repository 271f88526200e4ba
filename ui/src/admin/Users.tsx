import { Avatar, Badge, Button, Group, Paper, Table, Text } from "@mantine/core";
import { IconPlus, IconSearchOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { count } from "../parts/numbers";
import { Pages } from "../parts/Pages";
import rows from "../parts/Rows.module.css";
import { SearchField } from "../parts/SearchField";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import { useCan } from "../session/session";
import { AddPerson } from "./AddPerson";
import classes from "./Admin.module.css";
import { peopleQuery } from "./calls";
import { PersonMenu } from "./PersonMenu";
import type { PeopleSearch } from "./search";
import type { People, Person } from "./types";

const route = getRouteApi("/admin/users");
const PER_PAGE = 25;

/** Everybody who has an account. */
export default function Users() {
  const { page = 1, search } = route.useSearch();
  const navigate = useNavigate({ from: "/admin/users" });
  const people = useQuery(peopleQuery({ page, per_page: PER_PAGE, search }));
  const can = useCan();
  const [adding, setAdding] = useState(false);
  const set = (change: PeopleSearch) =>
    void navigate({ search: (before) => ({ ...before, page: undefined, ...change }), replace: !("page" in change) });
  const total = people.data?.total ?? 0;
  return (
    <>
      <Group gap="sm">
        <SearchField
          label="Search accounts"
          placeholder="Name or address"
          className={classes.search}
          value={search ?? ""}
          change={(text) => set({ search: text || undefined })}
        />
        <Text size="sm" c="dimmed" className="wide-only num" aria-live="polite">
          {people.data && count(total, "account")}
        </Text>
        {can("users.write") && (
          <Button ml="auto" leftSection={<IconPlus size={16} />} onClick={() => setAdding(true)}>
            Add a user
          </Button>
        )}
      </Group>
      {people.isPending && <Loading rows={6} />}
      {people.error && !people.data && <Failed error={people.error} what="the accounts" retry={people.refetch} />}
      {people.data && total === 0 && (
        <Empty
          icon={<IconSearchOff size={32} stroke={1.4} />}
          title="No account matches"
          action={
            <Button variant="default" onClick={() => set({ search: undefined })}>
              Show all
            </Button>
          }
        />
      )}
      {people.data && total > 0 && <PeopleTable people={people.data} />}
      <Pages total={total} perPage={PER_PAGE} page={page} turn={(next) => set({ page: next })} />
      {adding && <AddPerson roles={people.data?.manageable_roles ?? []} close={() => setAdding(false)} />}
    </>
  );
}

function PeopleTable({ people }: { people: People }) {
  return (
    <Paper>
      <Table className={rows.rows} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Account</Table.Th>
            <Table.Th>Role</Table.Th>
            <Table.Th>Sign-in</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Last signed in</Table.Th>
            <Table.Th aria-label="Actions" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {people.users.map((person) => (
            <Row key={person.id} person={person} roles={people.manageable_roles} />
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

function Row({ person, roles }: { person: Person; roles: People["manageable_roles"] }) {
  return (
    <Table.Tr data-user={person.username}>
      <Table.Td>
        <Group gap="sm" wrap="nowrap">
          <Avatar size={30} name={person.name || person.username} color="harbor" variant="light" aria-hidden />
          <div>
            <Text size="sm" className={classes.name}>
              {person.username}
            </Text>
            <Text size="xs" c="dimmed">
              {[person.name !== person.username && person.name, person.email].filter(Boolean).join(" · ")}
            </Text>
          </div>
        </Group>
      </Table.Td>
      <Table.Td data-label="Role">
        {person.role}
        {person.customer_id && (
          <Badge ml={6} size="sm" variant="light" color="gray" tt="none">
            Customer
          </Badge>
        )}
      </Table.Td>
      <Table.Td data-label="Sign-in">{waysIn(person)}</Table.Td>
      <Table.Td>
        {person.banned_at ? (
          <StatusWord status="failed" word="Banned" />
        ) : (
          <StatusWord status="healthy" word="Active" />
        )}
      </Table.Td>
      <Table.Td c="dimmed" data-label="Last signed in">
        {person.last_login_at ? <When at={person.last_login_at} /> : "never"}
      </Table.Td>
      <Table.Td ta="right">
        <PersonMenu person={person} roles={roles} />
      </Table.Td>
    </Table.Tr>
  );
}

function waysIn(person: Person): string {
  const ways = [person.has_password && "password", person.oidc && "provider"].filter(Boolean).join(", ") || "none yet";
  return person.totp_enabled ? `${ways} + second factor` : ways;
}
