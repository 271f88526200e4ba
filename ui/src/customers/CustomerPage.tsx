import { Alert, Anchor, Button, Group, Modal, Paper, SimpleGrid, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { IconPencil, IconPlayerPause, IconPlayerPlay, IconUserOff } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "../api/calls";
import { ApiError } from "../api/client";
import { customerQuery } from "../api/queries";
import type { Customer } from "../api/types";
import { DangerZone } from "../parts/DangerZone";
import { Section } from "../parts/Page";
import { Empty, Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import { useCan } from "../session/session";
import { CustomerDialog } from "./CustomerDialog";
import { CustomerStatus } from "./Customers";
import classes from "./Customers.module.css";
import { People } from "./People";
import { UsageBars } from "./UsageBars";

const route = getRouteApi("/customers/$id");

/** One customer: what they use of what they may, who sees it, and whether they may deploy. */
export default function CustomerPage() {
  const { id } = route.useParams();
  const customer = useQuery(customerQuery(id));
  useDocumentTitle(`${customer.data?.name ?? "Customer"} · Homeport`);
  if (customer.isPending) return <Loading rows={6} />;
  if (customer.error instanceof ApiError && customer.error.status === 404)
    return (
      <Empty
        icon={<IconUserOff size={36} stroke={1.3} />}
        title="There is no such customer"
        action={
          <Button component={Link} to="/customers" variant="default">
            Show all customers
          </Button>
        }
      >
        It may have been deleted.
      </Empty>
    );
  if (customer.error) return <Failed error={customer.error} what="this customer" retry={customer.refetch} />;
  return <Shown customer={customer.data} />;
}

function Shown({ customer }: { customer: Customer }) {
  const can = useCan()("customers.write");
  const [editing, setEditing] = useState(false);
  return (
    <Stack gap="lg" maw={1180}>
      <Group justify="space-between" gap="sm">
        <Group gap="sm">
          <Title order={1} style={{ overflowWrap: "anywhere" }}>
            {customer.name}
          </Title>
          <CustomerStatus status={customer.status} pill />
        </Group>
        {can && (
          <Group gap="xs">
            <Suspend customer={customer} />
            <Button leftSection={<IconPencil size={16} />} onClick={() => setEditing(true)}>
              Change
            </Button>
          </Group>
        )}
      </Group>
      {customer.status === "suspended" && (
        <Alert color="yellow" p="xs">
          Nothing new can be deployed for this customer. What runs goes on running.
        </Alert>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
        <Section title={`Usage, plan ${customer.plan}`}>
          <Paper p="md">
            <UsageBars customer={customer.id} />
          </Paper>
        </Section>
        <Section title="Details">
          <Paper p="md">
            <dl className={classes.facts}>
              <dt>E-mail</dt>
              <dd>
                <Anchor href={`mailto:${customer.email}`} size="sm">
                  {customer.email}
                </Anchor>
              </dd>
              <dt>Since</dt>
              <dd>
                <When at={customer.created_at} />
              </dd>
              <dt>Notes</dt>
              <dd className={classes.notes}>{customer.notes || "–"}</dd>
              <dt>Id</dt>
              <dd className="mono">{customer.id}</dd>
            </dl>
          </Paper>
        </Section>
      </SimpleGrid>
      <People customer={customer} disabled={!can} />
      {can && <Danger customer={customer} />}
      {editing && <CustomerDialog customer={customer} close={() => setEditing(false)} />}
    </Stack>
  );
}

function Suspend({ customer }: { customer: Customer }) {
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const active = customer.status === "active";
  const change = useMutation({
    mutationFn: () => api.changeCustomer(customer.id, { status: active ? "suspended" : "active" }),
    onSuccess: async (saved) => {
      tell(saved.status === "active" ? `${saved.name} may deploy again.` : `${saved.name} is suspended.`);
      setAsking(false);
      await client.invalidateQueries({ queryKey: ["customers"] });
    },
    onError: (error) => tellProblem(error),
  });
  if (!active)
    return (
      <Button
        variant="default"
        leftSection={<IconPlayerPlay size={16} />}
        loading={change.isPending}
        onClick={() => change.mutate()}
      >
        Let deploy again
      </Button>
    );
  return (
    <>
      <Button variant="default" leftSection={<IconPlayerPause size={16} />} onClick={() => setAsking(true)}>
        Suspend
      </Button>
      <Modal opened={asking} onClose={() => setAsking(false)} title={`Suspend ${customer.name}?`}>
        <Stack>
          <Text size="sm">Nothing new can be deployed for them. What runs goes on running, and you can undo this.</Text>
          <Group justify="flex-end">
            <Button variant="default" data-autofocus onClick={() => setAsking(false)}>
              Cancel
            </Button>
            <Button color="red" loading={change.isPending} onClick={() => change.mutate()}>
              Suspend
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}

function Danger({ customer }: { customer: Customer }) {
  const navigate = useNavigate();
  return (
    <DangerZone
      what="customer"
      name={customer.name}
      lost="Possible when it has no services and no people left."
      remove={() => api.removeCustomer(customer.id)}
      leave={() => navigate({ to: "/customers" })}
      list={["customers"]}
    />
  );
}
