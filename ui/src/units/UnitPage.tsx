import { Alert, Container, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { api } from "../api/calls";
import type { Unit } from "../api/types";
import { asText, LogBuffer } from "../logs/buffer";
import type { FollowState } from "../logs/follow";
import { LogView } from "../logs/LogView";
import { megabytes } from "../parts/numbers";
import { Section } from "../parts/Page";
import { StatusWord } from "../parts/StatusWord";
import { lasted } from "../parts/time";
import { runsFor } from "../services/uptime";
import { useCan } from "../session/session";
import { followUnit } from "./follow";
import { UnitActions } from "./UnitActions";
import classes from "./UnitPage.module.css";
import { NoSystemd } from "./UnitTable";
import { subState, unitStatus } from "./words";

/** A unit of the host: what it does, what can be done to it, and its journal as it is written. */
export default function UnitPage({ unit }: { unit: Unit }) {
  const can = useCan()("services.write");
  const { word, tone } = unitStatus(unit);
  const explained = subState(unit);
  const silent = !unit.active_state;
  return (
    <Container size={1180} px={0}>
      <Stack gap="md" className="tall">
        <Group justify="space-between" align="flex-start" gap="sm">
          <Stack gap={4} miw={0}>
            <Group gap="sm">
              <Title order={1} style={{ overflowWrap: "anywhere" }}>
                {unit.name}
              </Title>
              <span aria-live="polite">
                <StatusWord status={unit.status} word={word} tone={tone} pill />
              </span>
            </Group>
            <Text size="sm" c="dimmed">
              {unit.description && unit.description !== unit.name ? unit.description : "A unit of this machine"}
            </Text>
          </Stack>
          {can && !silent && <UnitActions unit={unit} />}
          {!can && (
            <Text size="xs" c="dimmed">
              Read-only
            </Text>
          )}
        </Group>
        {silent && <NoSystemd />}
        {unit.status === "failed" && (
          <Alert color="red" icon={<IconAlertTriangle />} title={`${unit.name} has failed`}>
            {unit.result && unit.result !== "success" ? `systemd says: ${unit.result}` : "It ended with an error"}
            {unit.exit_code ? `, exit code ${unit.exit_code}` : ""}. The journal below says more.
          </Alert>
        )}
        {!silent && (
          <Paper p="md">
            <dl className={classes.facts}>
              <Fact name="State" value={explained && explained.charAt(0).toUpperCase() + explained.slice(1)} />
              <Fact name="Active for" value={runsFor(unit)} />
              <Fact name="Process" value={unit.pid ? String(unit.pid) : "–"} />
              <Fact
                name="Memory"
                value={
                  unit.resources?.memory_usage_mb === null || unit.resources?.memory_usage_mb === undefined
                    ? "–"
                    : megabytes(unit.resources.memory_usage_mb)
                }
              />
              <Fact
                name="CPU time"
                value={
                  unit.cpu_seconds === null || unit.cpu_seconds === undefined ? "–" : lasted(unit.cpu_seconds * 1000)
                }
              />
              <Fact name="Restarts" value={String(unit.restarts ?? 0)} />
              <Fact name="At boot" value={unit.enabled ? "Starts" : "Does not start"} />
            </dl>
          </Paper>
        )}
        <Section title="Journal">
          <Journal key={unit.name} unit={unit.name} />
        </Section>
      </Stack>
    </Container>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="num">{value}</dd>
    </div>
  );
}

const STATES = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", ended: "Ended" };

function Journal({ unit }: { unit: string }) {
  const [buffer] = useState(() => new LogBuffer());
  const [state, setState] = useState<FollowState>("connecting");
  useEffect(() => followUnit(unit, buffer, setState), [unit, buffer]);
  return (
    <div className={classes.journal}>
      <LogView
        buffer={buffer}
        name={unit}
        live={state !== "ended"}
        everything={async () => asText((await api.logs(unit, { tail: 10_000 })).logs)}
        empty={
          state === "ended" ? "The journal has nothing for this unit." : "Nothing written yet. New lines appear here."
        }
        aside={
          <span className="wide-only" style={{ marginRight: 8 }} aria-live="polite">
            <StatusWord
              status={state === "live" ? "running" : state === "ended" ? "stopped" : "starting"}
              word={STATES[state]}
            />
          </span>
        }
      />
    </div>
  );
}
