import { Alert, Code, Paper, Table, Text } from "@mantine/core";
import { IconCpu, IconPlugConnectedX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { unitsQuery } from "../api/queries";
import type { Unit } from "../api/types";
import { megabytes } from "../parts/numbers";
import rows from "../parts/Rows.module.css";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import classes from "../services/ServiceList.module.css";
import { runsFor } from "../services/uptime";
import { useCan } from "../session/session";
import { UnitActions } from "./UnitActions";
import { noSystemd, subState, unitStatus } from "./words";

/** The units of the host that this portal looks after, in the order of its settings. */
export function UnitTable({ search, status }: { search?: string; status?: string }) {
  const units = useQuery(unitsQuery);
  const can = useCan()("services.write");
  if (units.isPending) return <Loading rows={5} height={30} />;
  if (units.error && !units.data) return <Failed error={units.error} what="the units" retry={units.refetch} />;
  const all = units.data.data;
  if (all.length === 0)
    return (
      <Empty icon={<IconCpu size={32} stroke={1.4} />} title="No unit of the host is looked after here">
        Name the systemd units that you want to see, start and stop here in the setting <Code>units</Code>, for example{" "}
        <Code>HOMEPORT_UNITS=nginx,ssh</Code>. No other unit is ever touched.
      </Empty>
    );
  const words = (search ?? "").toLowerCase();
  const shown = all.filter(
    (unit) =>
      (!status || unit.status === status) && `${unit.name} ${unit.description ?? ""}`.toLowerCase().includes(words),
  );
  return (
    <>
      {noSystemd(all) && <NoSystemd />}
      <Paper>
        <Table className={rows.rows} highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Unit</Table.Th>
              <Table.Th>Status</Table.Th>
              <Table.Th>Active for</Table.Th>
              <Table.Th ta="right">Memory</Table.Th>
              {can && <Table.Th w={130} />}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((unit) => (
              <Row key={unit.id} unit={unit} can={can} />
            ))}
            {shown.length === 0 && (
              <Table.Tr>
                <Table.Td colSpan={5} c="dimmed">
                  No unit matches.
                </Table.Td>
              </Table.Tr>
            )}
          </Table.Tbody>
        </Table>
      </Paper>
    </>
  );
}

/** Said once, above what cannot be known. */
export function NoSystemd() {
  return (
    <Alert color="yellow" icon={<IconPlugConnectedX />} title="systemd does not answer on this machine">
      Units can be listed, but not watched, started or stopped here. In a container there is usually no systemd; on a
      host, look at <Code>systemctl is-system-running</Code>.
    </Alert>
  );
}

function Row({ unit, can }: { unit: Unit; can: boolean }) {
  const { word, tone } = unitStatus(unit);
  const memory = unit.resources?.memory_usage_mb;
  return (
    <Table.Tr data-unit={unit.name}>
      <Table.Td>
        <Link to="/services/$ref" params={{ ref: unit.name }} className={classes.name}>
          {unit.name}
        </Link>
        {unit.description && unit.description !== unit.name && (
          <Text size="xs" c="dimmed">
            {unit.description}
          </Text>
        )}
      </Table.Td>
      <Table.Td>
        <StatusWord status={unit.status} word={word} tone={tone} />
        <Text size="xs" c="dimmed">
          {subState(unit)}
        </Text>
      </Table.Td>
      <Table.Td className="num" data-label="Active for">
        {runsFor(unit)}
      </Table.Td>
      <Table.Td ta="right" className="num" data-label="Memory">
        {memory === null || memory === undefined ? "–" : megabytes(memory)}
      </Table.Td>
      {can && <Table.Td data-wide>{unit.active_state ? <UnitActions unit={unit} small /> : null}</Table.Td>}
    </Table.Tr>
  );
}
