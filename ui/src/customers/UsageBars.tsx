import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { usageQuery } from "../api/queries";
import { megabytes } from "../parts/numbers";
import { Failed, Loading } from "../parts/states";
import { fullness, limitWords } from "./limits";
import classes from "./UsageBars.module.css";

const cores = (n: number) => `${Number(n.toFixed(2))} ${n === 1 ? "core" : "cores"}`;

/** What a customer's services take, against the limits of the plan. */
export function UsageBars({ customer }: { customer: string }) {
  const usage = useQuery(usageQuery(customer));
  if (usage.isPending) return <Loading rows={4} height={18} />;
  if (usage.error) return <Failed error={usage.error} what="the usage" retry={usage.refetch} />;
  const { services, cpu, memory_mb, storage_mb } = usage.data;
  return (
    <div className={classes.grid}>
      <Bar name="Services" {...services} text={String} />
      <Bar name="CPU" {...cpu} text={cores} short={(n) => String(Number(n.toFixed(2)))} />
      <Bar name="Memory" {...memory_mb} text={megabytes} />
      <Bar name="Storage" {...storage_mb} text={megabytes} />
    </div>
  );
}

function Bar(props: {
  name: string;
  used: number;
  limit: number | null;
  text: (n: number) => string;
  short?: (n: number) => string;
}) {
  const { name, used, limit, text, short = text } = props;
  const { part, tone } = fullness(used, limit);
  return (
    <div className={classes.bar} data-tone={tone} data-usage={name.toLowerCase()}>
      <Text size="sm">{name}</Text>
      <span className={classes.track} aria-hidden>
        {limit !== null && <span style={{ width: `${used > 0 ? Math.max(1, part * 100) : 0}%` }} />}
      </span>
      <Text size="sm" c="dimmed" className="num" ta="right">
        {limit === null ? `${text(used)}, ${limitWords(limit, text)}` : `${short(used)} of ${text(limit)}`}
        {tone === "bad" && <strong className={classes.full}> full</strong>}
      </Text>
    </div>
  );
}
