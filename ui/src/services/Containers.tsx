import { Badge, Group, Paper, Table, Text } from "@mantine/core";
import { IconStack2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { containersQuery, releasesQuery } from "../api/queries";
import type { Container } from "../api/types";
import { cpu, megabytes } from "../parts/numbers";
import rows from "../parts/Rows.module.css";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { When } from "../parts/When";

const route = getRouteApi("/services/$ref");

/** The containers of a stack, as the engine sees them now. */
export default function Containers() {
  const { ref } = route.useParams();
  const containers = useQuery(containersQuery(ref));
  const releases = useQuery(releasesQuery(ref));
  if (containers.isPending) return <Loading rows={4} />;
  if (containers.error && !containers.data)
    return <Failed error={containers.error} what="the containers" retry={containers.refetch} />;
  const { data } = containers.data;
  if (data.length === 0)
    return (
      <Empty icon={<IconStack2 size={32} stroke={1.4} />} title="Nothing runs">
        Start the service, or deploy it, to see its containers here.
      </Empty>
    );
  const nodes = data.some((one) => one.node);
  const numbers = new Map(releases.data?.data.map(({ id, number }) => [id.toLowerCase(), number]));
  return (
    <Paper>
      <Table className={rows.rows}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Part</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Image</Table.Th>
            <Table.Th>Started</Table.Th>
            <Table.Th ta="right">Restarts</Table.Th>
            <Table.Th ta="right">CPU</Table.Th>
            <Table.Th ta="right">Memory</Table.Th>
            {nodes && <Table.Th>Node</Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {data.map((one) => (
            <Row key={one.name} container={one} nodes={nodes} kept={keptFrom(one.image, numbers)} />
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

/** The release whose image it is, where Homeport keeps a copy of it so that one can go back; else undefined. */
function keptFrom(image: string | null, numbers: Map<string, number>): number | undefined {
  const release = image?.match(/^homeport\/svc_[^:]+:(rel_[^-]+)-/)?.[1];
  return release === undefined ? undefined : numbers.get(release);
}

function Row({ container, nodes, kept }: { container: Container; nodes: boolean; kept: number | undefined }) {
  const { name, part, image, state, health, started_at, restarts, exit_code, cpu: cores, memory_mb, node } = container;
  const ended = state === "exited" || state === "dead";
  const failed = ended && exit_code !== null && exit_code !== 0;
  const ill = state === "running" && health === "unhealthy";
  return (
    <Table.Tr data-part={part}>
      <Table.Td>
        <Text size="sm" fw={600}>
          {part}
        </Text>
        <Text size="xs" c="dimmed" className="mono">
          {name}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusWord
          status={failed ? "failed" : ill ? "unhealthy" : state}
          word={ended ? `Ended${exit_code === null ? "" : ` with ${exit_code}`}` : undefined}
        />
        {health && health !== "none" && state === "running" && (
          <Text size="xs" c="dimmed">
            {health}
          </Text>
        )}
      </Table.Td>
      <Table.Td data-wide>
        {kept === undefined ? (
          <span className="mono">{image ?? "–"}</span>
        ) : (
          <span title={image ?? undefined}>of release {kept}</span>
        )}
        {container.ports.length > 0 && (
          <Group gap={4} mt={2}>
            {container.ports.map((port) => (
              <Badge key={port} size="xs" variant="light" color="gray" tt="none">
                port {port}
              </Badge>
            ))}
          </Group>
        )}
      </Table.Td>
      <Table.Td c="dimmed" data-label="Started">
        {started_at ? <When at={started_at} /> : "–"}
      </Table.Td>
      <Table.Td ta="right" className="num" data-label="Restarts">
        {restarts}
      </Table.Td>
      <Table.Td ta="right" className="num" data-label="CPU">
        {cores === null ? "–" : cpu(cores)}
      </Table.Td>
      <Table.Td ta="right" className="num" data-label="Memory">
        {memory_mb === null ? "–" : megabytes(memory_mb)}
      </Table.Td>
      {nodes && (
        <Table.Td data-label="Node" data-wide>
          {node ?? "–"}
        </Table.Td>
      )}
    </Table.Tr>
  );
}
