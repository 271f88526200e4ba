import { Paper, SimpleGrid, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { machineQuery } from "../api/queries";
import { Chart, type Point } from "../parts/Chart";
import { bytes, count } from "../parts/numbers";
import { Section } from "../parts/Page";
import { Failed, Loading } from "../parts/states";
import { lasted } from "../parts/time";
import classes from "./Admin.module.css";
import { statsQuery } from "./calls";
import { rates, type Sample, sampleOf } from "./rates";

const SPAN = 10 * 60_000;
const percent = (value: number) => `${value >= 10 || value === 0 ? Math.round(value) : value.toFixed(1)} %`;
const part = (value: number) => percent(value * 100);
const perSecond = (value: number) => `${bytes(Math.round(value))}/s`;

/** What was measured when this page was last open: coming back continues the curves. */
let seenBefore: Sample[] = [];

/** How the machine and the portal are: numbers, and what they were while this page is open. */
export default function System() {
  const machine = useQuery(machineQuery);
  const [samples, setSamples] = useState(seenBefore);
  const seen = machine.data;
  const at = machine.dataUpdatedAt;
  useEffect(() => {
    seenBefore = samples;
  }, [samples]);
  useEffect(() => {
    if (seen && at)
      setSamples((before) => [...before.filter((one) => one.at > at - SPAN && one.at < at), sampleOf(seen, at)]);
  }, [seen, at]);
  if (machine.isPending) return <Loading rows={8} />;
  if (!seen) return <Failed error={machine.error as Error} what="how the machine is" retry={machine.refetch} />;
  const points = (value: (sample: Sample) => number): Point[] =>
    samples.map((sample) => ({ at: sample.at, value: value(sample) }));
  const network = rates(samples, (sample) => sample.network);
  const disk = rates(samples, (sample) => sample.disk);
  const load = seen.cpu.load_avg.map((one) => one.toFixed(2)).join(", ");
  const now = (list: Point[]) => list.at(-1)?.value ?? 0;
  return (
    <>
      {machine.error && <Failed error={machine.error} what="how the machine is now" retry={machine.refetch} />}
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
        <Paper p="md">
          <Chart
            title="CPU"
            now={percent(seen.cpu.percent)}
            of={`of ${count(seen.cpu.count, "core")}`}
            limit={1}
            least={0.1}
            span={SPAN}
            text={part}
            points={points((sample) => sample.cpu / 100)}
          />
        </Paper>
        <Paper p="md">
          <Chart
            title="Memory"
            now={percent(seen.memory.percent)}
            of={`of ${bytes(seen.memory.total)}`}
            limit={1}
            least={0.1}
            span={SPAN}
            text={part}
            points={points((sample) => sample.memory / 100)}
          />
        </Paper>
        <Paper p="md">
          <Chart
            title="Network"
            now={perSecond(now(network))}
            of="in and out"
            limit={Number.POSITIVE_INFINITY}
            least={1024}
            span={SPAN}
            text={perSecond}
            points={network}
          />
        </Paper>
        <Paper p="md">
          <Chart
            title="Disk traffic"
            now={perSecond(now(disk))}
            of="read and written"
            limit={Number.POSITIVE_INFINITY}
            least={1024}
            span={SPAN}
            text={perSecond}
            points={disk}
          />
        </Paper>
      </SimpleGrid>
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
        <Section title="This machine">
          <Paper p="md">
            <Facts
              facts={[
                ["Up for", lasted(seen.uptime_seconds * 1000)],
                ["Load", `${load} (1, 5, 15 min)`],
                ["Memory", `${bytes(seen.memory.available)} of ${bytes(seen.memory.total)} available`],
                ["Swap", seen.swap.total ? `${bytes(seen.swap.used)} of ${bytes(seen.swap.total)} used` : "none"],
                [
                  "Disk",
                  `${bytes(seen.disk.free)} of ${bytes(seen.disk.total)} free (${percent(seen.disk.percent)} used)`,
                ],
                ["Network", `${bytes(seen.net_io.bytes_recv)} in, ${bytes(seen.net_io.bytes_sent)} out`],
              ]}
            />
          </Paper>
        </Section>
        <PortalItself
          facts={[
            ["Memory", bytes(seen.process.rss)],
            ["Threads", String(seen.process.threads)],
            ["Process", String(seen.process.pid)],
            ["Open files", String(seen.open_files)],
            ["Connections", String(seen.connections_count)],
          ]}
        />
      </SimpleGrid>
    </>
  );
}

function PortalItself({ facts }: { facts: [string, string][] }) {
  const stats = useQuery(statsQuery);
  const { data } = stats;
  return (
    <Section title="The portal">
      <Paper p="md">
        {stats.isPending && <Loading rows={4} height={14} />}
        {stats.error && !data && <Failed error={stats.error} what="the portal's numbers" retry={stats.refetch} />}
        {data && (
          <Facts
            facts={[
              ["Up for", lasted(data.uptime_check * 1000)],
              ...facts,
              ["Live connections", `${data.active_connections} (most at once: ${data.peak_connections})`],
              ["Database", bytes(data.db_size_bytes)],
              ["Accounts", `${data.total_users}, with ${count(data.total_api_keys, "API key")}`],
              ["Services", String(data.total_services)],
            ]}
          />
        )}
      </Paper>
    </Section>
  );
}

function Facts({ facts }: { facts: [string, string][] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(([name, value]) => (
        <div key={name} style={{ display: "contents" }}>
          <dt>{name}</dt>
          <dd>
            <Text size="sm" span className="num" style={{ whiteSpace: "normal" }}>
              {value}
            </Text>
          </dd>
        </div>
      ))}
    </dl>
  );
}
