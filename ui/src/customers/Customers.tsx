import { Button, Group, Paper, Select, Table, Text } from "@mantine/core";
import { IconPlus, IconSearchOff, IconUsers } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { customersQuery } from "../api/queries";
import type { Customer } from "../api/types";
import { count } from "../parts/numbers";
import { Page } from "../parts/Page";
import { Pages } from "../parts/Pages";
import rows from "../parts/Rows.module.css";
import { SearchField } from "../parts/SearchField";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import { useCan } from "../session/session";
import { CustomerDialog } from "./CustomerDialog";
import classes from "./Customers.module.css";
import { Tabs } from "./Tabs";

const route = getRouteApi("/customers");
const PER_PAGE = 25;

/** Who has services here besides the portal's own people. */
export default function Customers() {
  const { page = 1, search, status } = route.useSearch();
  const navigate = useNavigate({ from: "/customers" });
  const can = useCan()("customers.write");
  const customers = useQuery(customersQuery({ page, per_page: PER_PAGE, search, status }));
  const [creating, setCreating] = useState(false);
  const set = (change: { page?: number; search?: string; status?: string }) =>
    void navigate({ search: (before) => ({ ...before, page: undefined, ...change }), replace: !("page" in change) });
  const total = customers.data?.total ?? 0;
  const filtered = Boolean(search || status);
  const add = can && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
      Add a customer
    </Button>
  );
  return (
    <Page title="Customers" actions={total > 0 || filtered ? add : null}>
      <Tabs />
      {(total > 0 || filtered) && (
        <Group gap="sm">
          <SearchField
            label="Search customers"
            placeholder="Name or address"
            className={classes.search}
            value={search ?? ""}
            change={(text) => set({ search: text || undefined })}
          />
          <Select
            w={150}
            aria-label="Status"
            placeholder="Any status"
            clearable
            data={[
              { value: "active", label: "Active" },
              { value: "suspended", label: "Suspended" },
            ]}
            value={status ?? null}
            onChange={(next) => set({ status: next ?? undefined })}
          />
          <Text size="sm" c="dimmed" ml="auto" className="wide-only num" aria-live="polite">
            {count(total, "customer")}
          </Text>
        </Group>
      )}
      {customers.isPending && <Loading rows={6} />}
      {customers.error && !customers.data && (
        <Failed error={customers.error} what="the customers" retry={customers.refetch} />
      )}
      {customers.data && total === 0 && !filtered && (
        <Empty icon={<IconUsers size={32} stroke={1.4} />} title="No customers yet" action={add}>
          A customer is somebody who has services of their own here, within the limits of a plan. Its people see their
          services and nothing else.
        </Empty>
      )}
      {customers.data && total === 0 && filtered && (
        <Empty
          icon={<IconSearchOff size={32} stroke={1.4} />}
          title="No customer matches"
          action={
            <Button variant="default" onClick={() => set({ search: undefined, status: undefined })}>
              Show all
            </Button>
          }
        />
      )}
      {total > 0 && (
        <Paper>
          <Table className={rows.rows} highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Status</Table.Th>
                <Table.Th>Plan</Table.Th>
                <Table.Th ta="right">Services</Table.Th>
                <Table.Th>Since</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {customers.data?.data.map((one) => (
                <Row key={one.id} customer={one} />
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      <Pages total={total} perPage={PER_PAGE} page={page} turn={(next) => set({ page: next })} />
      {creating && <CustomerDialog close={() => setCreating(false)} />}
    </Page>
  );
}

function Row({ customer }: { customer: Customer }) {
  return (
    <Table.Tr data-customer={customer.name}>
      <Table.Td>
        <Link to="/customers/$id" params={{ id: customer.id }} className={classes.name}>
          {customer.name}
        </Link>
        <Text size="xs" c="dimmed">
          {customer.email}
        </Text>
      </Table.Td>
      <Table.Td>
        <CustomerStatus status={customer.status} />
      </Table.Td>
      <Table.Td data-label="Plan">{customer.plan}</Table.Td>
      <Table.Td ta="right" className="num" data-label="Services">
        {customer.services}
      </Table.Td>
      <Table.Td c="dimmed" data-label="Since">
        <When at={customer.created_at} />
      </Table.Td>
    </Table.Tr>
  );
}

export function CustomerStatus({ status, pill }: { status: Customer["status"]; pill?: boolean }) {
  return status === "active" ? (
    <StatusWord status="healthy" word="Active" pill={pill} />
  ) : (
    <StatusWord status="cancelled" word="Suspended" pill={pill} />
  );
}
