import { Paper, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { ApiError } from "../api/client";
import { machineQuery } from "../api/queries";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/Page";
import { Failed, Loading } from "../parts/states";
import classes from "./Machine.module.css";

/** How the machine under the portal is, in three bars; nothing for who may not know. */
export function Machine() {
  const machine = useQuery(machineQuery);
  const { error, data } = machine;
  if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return null;
  return (
    <Section title="This machine">
      <Paper p="md" py="sm">
        {machine.isPending && <Loading rows={3} height={14} />}
        {error && !data && <Failed error={error} what="how the machine is" retry={machine.refetch} />}
        {data && (
          <div className={classes.grid}>
            <Bar name="CPU" percent={data.cpu.percent} of={`${data.cpu.count} cores`} />
            <Bar
              name="Memory"
              percent={data.memory.percent}
              of={`${bytes(data.memory.used)} of ${bytes(data.memory.total)}`}
            />
            <Bar name="Disk" percent={data.disk.percent} of={`${bytes(data.disk.free)} free`} />
          </div>
        )}
      </Paper>
    </Section>
  );
}

function Bar({ name, percent, of }: { name: string; percent: number; of: string }) {
  const part = Math.min(100, Math.max(0, percent));
  return (
    <>
      <Text size="sm">{name}</Text>
      <span className={classes.track} aria-hidden>
        <span className={classes.bar} data-full={part > 90 || undefined} style={{ width: `${Math.max(1, part)}%` }} />
      </span>
      <Text size="sm" ta="right" className="num">
        {Math.round(part)} %
      </Text>
      <Text size="xs" c="dimmed" className="num">
        {of}
      </Text>
    </>
  );
}
