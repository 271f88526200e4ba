import { Button, Paper, Table, Text } from "@mantine/core";
import { IconPlugConnected, IconPlus } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ServiceRow } from "../api/types";
import rows from "../parts/Rows.module.css";
import { Empty } from "../parts/states";
import classes from "../services/ServiceList.module.css";
import { Health } from "./Health";
import { pluginWord } from "./plugins";

/** What is reached from here without running here. */
export function EndpointTable({ endpoints, add }: { endpoints: ServiceRow[]; add?: () => void }) {
  if (endpoints.length === 0)
    return (
      <Empty
        icon={<IconPlugConnected size={32} stroke={1.4} />}
        title="No endpoints here"
        action={
          add && (
            <Button leftSection={<IconPlus size={16} />} onClick={add}>
              Add an endpoint
            </Button>
          )
        }
      >
        An endpoint is something that runs elsewhere and that you reach from here: a router's page, a shell, a screen.
      </Empty>
    );
  return (
    <Paper>
      <Table className={rows.rows} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Health</Table.Th>
            <Table.Th>What it is</Table.Th>
            <Table.Th>Where</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {endpoints.map((one) => (
            <Table.Tr key={one.id} data-endpoint={one.name}>
              <Table.Td>
                <Link to="/services/$ref" params={{ ref: one.name }} className={classes.name}>
                  {one.display_name || one.name}
                </Link>
                {one.category && (
                  <Text size="xs" c="dimmed">
                    {one.category}
                  </Text>
                )}
              </Table.Td>
              <Table.Td>
                <Health name={one.name} enabled={one.enabled} />
              </Table.Td>
              <Table.Td>{pluginWord(one.plugin)}</Table.Td>
              <Table.Td className="mono" data-wide>
                {[one.host ?? one.hostname, one.port].filter(Boolean).join(":")}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}
