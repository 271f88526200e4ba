import { Badge, Button, Group, Paper, Table, Text } from "@mantine/core";
import { IconPlus, IconReceipt } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { plansQuery } from "../api/queries";
import { GATES, type Plan } from "../api/types";
import { Page } from "../parts/Page";
import rows from "../parts/Rows.module.css";
import { Empty, Failed, Loading } from "../parts/states";
import { useCan } from "../session/session";
import classes from "./Customers.module.css";
import { GATE_WORDS, planWords } from "./limits";
import { PlanDialog } from "./PlanDialog";
import { Tabs } from "./Tabs";

/** What customers may use, by plan. */
export default function Plans() {
  const plans = useQuery(plansQuery);
  const can = useCan()("customers.write");
  const [editing, setEditing] = useState<Plan | "new" | null>(null);
  const add = can && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setEditing("new")}>
      Add a plan
    </Button>
  );
  return (
    <Page title="Plans" actions={plans.data?.total ? add : null}>
      <Tabs />
      {plans.isPending && <Loading rows={4} height={30} />}
      {plans.error && <Failed error={plans.error} what="the plans" retry={plans.refetch} />}
      {plans.data?.total === 0 && (
        <Empty icon={<IconReceipt size={32} stroke={1.4} />} title="No plans yet" action={add}>
          A plan says how much a customer may run, and in which ways they may deploy.
        </Empty>
      )}
      {!!plans.data?.total && (
        <Paper>
          <Table className={rows.rows}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Plan</Table.Th>
                <Table.Th>Limits</Table.Th>
                <Table.Th>Not included</Table.Th>
                <Table.Th ta="right">Customers</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {plans.data.data.map((plan) => (
                <Table.Tr key={plan.id} data-plan={plan.name}>
                  <Table.Td>
                    <Text size="sm" fw={600}>
                      {plan.name}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {plan.description}
                    </Text>
                  </Table.Td>
                  <Table.Td data-wide>{planWords(plan)}</Table.Td>
                  <Table.Td data-wide data-label={missingOf(plan).length ? "Not included" : undefined}>
                    <Missing plan={plan} />
                  </Table.Td>
                  <Table.Td ta="right" className="num" data-label="Customers">
                    {plan.customers}
                  </Table.Td>
                  <Table.Td ta="right">
                    {can && (
                      <Button
                        size="compact-sm"
                        variant="default"
                        aria-label={`Change the plan ${plan.name}`}
                        onClick={() => setEditing(plan)}
                      >
                        Change
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      {editing && <PlanDialog plan={editing === "new" ? undefined : editing} close={() => setEditing(null)} />}
    </Page>
  );
}

const missingOf = (plan: Plan) => GATES.filter((gate) => !plan[`allow_${gate}`]);

function Missing({ plan }: { plan: Plan }) {
  const missing = missingOf(plan);
  if (missing.length === 0)
    return (
      <Text size="sm" c="dimmed">
        Everything is included
      </Text>
    );
  return (
    <Group gap={4} className={classes.gates}>
      {missing.map((gate) => (
        <Badge key={gate} size="sm" variant="light" color="gray" tt="none">
          {GATE_WORDS[gate]}
        </Badge>
      ))}
    </Group>
  );
}
