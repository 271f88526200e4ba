import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { healthQuery } from "../api/queries";
import { StatusWord } from "../parts/StatusWord";
import { lasted } from "../parts/time";

/** Whether an endpoint answers, and how fast; asked again every few seconds while it is looked at. */
export function Health({ name, enabled, pill }: { name: string; enabled: boolean; pill?: boolean }) {
  const health = useQuery({ ...healthQuery(name), enabled });
  if (!enabled) return <StatusWord status="stopped" word="Switched off" pill={pill} />;
  if (health.isPending) return <StatusWord status="starting" word="Checking" pill={pill} />;
  if (health.error) return <StatusWord status="unknown" word="Not known" pill={pill} />;
  const { healthy, latency_ms, message } = health.data;
  return (
    <>
      <StatusWord
        status={healthy ? "healthy" : "unhealthy"}
        word={healthy ? `Answers${latency_ms === null ? "" : ` in ${lasted(latency_ms)}`}` : "Does not answer"}
        pill={pill}
      />
      {!healthy && message && !pill && !/^it does not answer\.?$/i.test(message) && (
        <Text size="xs" c="dimmed">
          {message}
        </Text>
      )}
    </>
  );
}
