import { Affix, Button, CloseButton, Group, Modal, Paper, Stack, Text, Transition } from "@mantine/core";
import { IconPlayerPlay, IconPlayerStop, IconRefresh, IconRocket } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../api/calls";
import type { ServiceRow } from "../api/types";
import { count } from "../parts/numbers";
import { tell, tellProblem } from "../parts/tell";
import { useCan } from "../session/session";

type Bulk = "start" | "stop" | "restart" | "redeploy";
const AT_ONCE = 4;
const DONE: Record<Bulk, string> = {
  start: "started",
  stop: "stopped",
  restart: "restarted",
  redeploy: "being redeployed",
};
const FITS: Record<Bulk, (service: ServiceRow) => boolean> = {
  start: (service) => service.status === "stopped" || service.status === "failed",
  stop: (service) => service.status === "running",
  restart: (service) => service.status === "running",
  redeploy: (service) => service.status !== "deploying",
};

/** Acts on all chosen services, a few at a time, and names those that would not. */
export function BulkBar({ services, clear }: { services: ServiceRow[]; clear: () => void }) {
  const client = useQueryClient();
  const can = useCan();
  const [asking, setAsking] = useState(false);
  const run = useMutation({
    mutationFn: async (bulk: Bulk) => {
      const waiting = services.filter(FITS[bulk]);
      const all = waiting.length;
      const failed: string[] = [];
      const worker = async () => {
        for (let one = waiting.shift(); one; one = waiting.shift()) {
          const { name } = one;
          await (bulk === "redeploy" ? api.redeploy(name) : api.act(name, bulk)).catch((error: Error) =>
            failed.push(`${name}: ${error.message}`),
          );
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      return { bulk, failed, done: all - failed.length };
    },
    onSuccess: ({ bulk, failed, done }) => {
      if (done) tell(`${count(done, "service")} ${done === 1 ? "is" : "are"} ${DONE[bulk]}.`);
      if (failed.length)
        tellProblem(new Error(failed.join("\n")), `${count(failed.length, "service")} could not be ${DONE[bulk]}`);
      setAsking(false);
      clear();
    },
    onSettled: () => client.invalidateQueries({ queryKey: ["services"] }),
  });
  const button = (bulk: Bulk, label: string, Icon: typeof IconRefresh, click = () => run.mutate(bulk)) => (
    <Button
      size="xs"
      variant="default"
      leftSection={<Icon size={15} />}
      disabled={!services.some(FITS[bulk]) || run.isPending}
      loading={run.isPending && run.variables === bulk}
      onClick={click}
    >
      {label}
    </Button>
  );
  return (
    <Affix position={{ bottom: 24, left: 0, right: 0 }} style={{ pointerEvents: "none" }}>
      <Transition mounted transition="slide-up">
        {(styles) => (
          <Paper
            shadow="md"
            p="xs"
            pl="md"
            w="fit-content"
            mx="auto"
            style={{ ...styles, pointerEvents: "auto" }}
            role="toolbar"
            aria-label="Actions on the chosen services"
          >
            <Group gap="xs">
              <Text size="sm" fw={600} mr="xs">
                {services.length} chosen
              </Text>
              {button("start", "Start", IconPlayerPlay)}
              {button("stop", "Stop", IconPlayerStop, () => setAsking(true))}
              {button("restart", "Restart", IconRefresh)}
              {can("services.deploy") && button("redeploy", "Redeploy", IconRocket)}
              <CloseButton aria-label="Choose none" onClick={clear} />
            </Group>
          </Paper>
        )}
      </Transition>
      <Modal
        opened={asking}
        onClose={() => setAsking(false)}
        title={`Stop ${count(services.filter(FITS.stop).length, "service")}?`}
      >
        <Stack>
          <Text size="sm">
            {services
              .filter(FITS.stop)
              .map((service) => service.name)
              .join(", ")}{" "}
            will not answer until started again.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setAsking(false)} data-autofocus>
              Cancel
            </Button>
            <Button color="red" loading={run.isPending} onClick={() => run.mutate("stop")}>
              Stop
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Affix>
  );
}
