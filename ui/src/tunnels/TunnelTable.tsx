import { Alert, Group, Paper, Table, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { bytes } from "../parts/numbers";
import rows from "../parts/Rows.module.css";
import { useNow } from "../parts/When";
import type { Tunnel } from "./calls";
import { Access, EndButton, TunnelStatus, Where } from "./parts";
import classes from "./Tunnels.module.css";
import { ends } from "./words";

interface TunnelTableProps {
  tunnels: Tunnel[];
  /** Leaves out what is the same for all: on a service's own page. */
  ofOne?: boolean;
  /** Says whose each is. */
  owners?: boolean;
}

/** Tunnels, one a row: how each does, where it is, whom it is for, and what went through. */
export function TunnelTable({ tunnels, ofOne, owners }: TunnelTableProps) {
  const now = useNow();
  return (
    <Paper>
      <Table className={rows.rows} highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th>Status</Table.Th>
            <Table.Th>Address</Table.Th>
            <Table.Th>Open to</Table.Th>
            <Table.Th>Ends</Table.Th>
            <Table.Th ta="right">Visitors</Table.Th>
            <Table.Th ta="right">Traffic</Table.Th>
            <Table.Th aria-label="Actions" />
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {tunnels.map((tunnel) => (
            <Table.Tr key={tunnel.id} data-tunnel={tunnel.name} data-status={tunnel.status}>
              <Table.Td>
                <Link to="/tunnels/$id" params={{ id: tunnel.id }} className={classes.name}>
                  {tunnel.name}
                </Link>
                <Text size="xs" c="dimmed">
                  {!ofOne && (tunnel.service_name ? `for ${tunnel.service_name}` : "an agent elsewhere")}
                  {owners && tunnel.owner && `${ofOne ? "" : ", "}by ${tunnel.owner}`}
                </Text>
              </Table.Td>
              <Table.Td>
                <TunnelStatus tunnel={tunnel} />
              </Table.Td>
              <Table.Td data-wide>
                <Where tunnel={tunnel} />
              </Table.Td>
              <Table.Td data-wide>
                <Access tunnel={tunnel} />
              </Table.Td>
              <Table.Td c="dimmed" data-label="Ends">
                {ends(tunnel, now)}
              </Table.Td>
              <Table.Td ta="right" className="num" data-label="Visitors">
                {tunnel.visitors.toLocaleString("en")}
              </Table.Td>
              <Table.Td ta="right" className="num" data-label="Traffic">
                {bytes(tunnel.bytes_in + tunnel.bytes_out)}
              </Table.Td>
              <Table.Td ta="right">
                <EndButton tunnel={tunnel} compact />
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

/** What goes wrong with the tunnels of a list, said once. */
export function Troubles({ tunnels }: { tunnels: Tunnel[] }) {
  return tunnels
    .filter((one) => one.status === "error" && one.error)
    .slice(0, 3)
    .map((one) => (
      <Alert key={one.id} color="red" p="xs" title={`${one.name} is not reachable`}>
        <Group>{one.error}</Group>
      </Alert>
    ));
}
