import { Button, Group, NumberInput, Paper, Stack, Switch, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Confirm } from "../parts/Confirm";
import { bytes, count } from "../parts/numbers";
import { Section } from "../parts/Page";
import { fieldsOf, Refused } from "../parts/problems";
import { Failed, Loading } from "../parts/states";
import { tell } from "../parts/tell";
import { When } from "../parts/When";
import { useCan } from "../session/session";
import classes from "./Admin.module.css";
import { admin, previewQuery, retentionQuery } from "./calls";
import type { Retention as State } from "./types";
import { KEPT_WORDS } from "./words";

/** How long the portal keeps what it keeps, and what the next run deletes. */
export default function Retention() {
  const retention = useQuery(retentionQuery);
  if (retention.isPending) return <Loading rows={8} />;
  if (!retention.data)
    return <Failed error={retention.error as Error} what="data retention" retry={retention.refetch} />;
  const { data } = retention;
  const key = `${data.settings.map((one) => one.value).join()} ${data.cleanup_interval_hours} ${data.auto_vacuum}`;
  return (
    <Stack gap="lg" maw={860}>
      <Rules key={key} state={data} />
      <NextRun state={data} />
    </Stack>
  );
}

function Rules({ state }: { state: State }) {
  const client = useQueryClient();
  const can = useCan()("retention.write");
  const before: Record<string, number> = Object.fromEntries(state.settings.map((one) => [one.key, one.value]));
  before.cleanup_interval_hours = Number(state.cleanup_interval_hours);
  const vacuumed = state.auto_vacuum === "true";
  const [values, setValues] = useState<Record<string, number | string>>(before);
  const [vacuum, setVacuum] = useState(vacuumed);
  const changes = Object.entries(values).filter(([name, value]) => Number(value) !== before[name] && value !== "");
  const save = useMutation({
    mutationFn: () =>
      admin.setRetention({
        ...Object.fromEntries(changes.map(([name, value]) => [name, Number(value)])),
        ...(vacuum !== vacuumed && { auto_vacuum: vacuum }),
      }),
    onSuccess: () => {
      tell("Saved. The next run goes by it.");
      return client.invalidateQueries({ queryKey: ["admin", "retention"] });
    },
  });
  const fields = fieldsOf(save.error);
  const set = (name: string) => (next: number | string) => setValues((now) => ({ ...now, [name]: next }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Section title="What is kept">
      <form onSubmit={submit}>
        <Paper>
          <Refused error={save.error} shown={Object.keys(before)} />
          {state.settings.map((one) => (
            <div key={one.key} className={classes.rule} data-rule={one.key}>
              <div>
                <Text size="sm" fw={550}>
                  {KEPT_WORDS[one.limits] ?? one.limits}
                </Text>
                <Text size="xs" c="dimmed">
                  {one.meaning}
                </Text>
              </div>
              <NumberInput
                aria-label={KEPT_WORDS[one.limits] ?? one.limits}
                min={0}
                max={one.maximum}
                disabled={!can}
                suffix={one.unit === "days" ? " days" : " newest"}
                thousandSeparator=","
                value={values[one.key]}
                error={fields[one.key]}
                onChange={set(one.key)}
              />
              <Text size="xs" c="dimmed">
                {one.unit === "days" ? "0 keeps for ever" : "0 keeps none"}
              </Text>
            </div>
          ))}
          <div className={classes.rule}>
            <div>
              <Text size="sm" fw={550}>
                Between two runs
              </Text>
              <Text size="xs" c="dimmed">
                How often the portal cleans up by itself.
              </Text>
            </div>
            <NumberInput
              aria-label="Between two runs"
              min={1}
              max={168}
              disabled={!can}
              suffix=" hours"
              value={values.cleanup_interval_hours}
              error={fields.cleanup_interval_hours}
              onChange={set("cleanup_interval_hours")}
            />
            <span />
          </div>
          <div className={classes.rule}>
            <div>
              <Text size="sm" fw={550}>
                Give the disk its space back
              </Text>
              <Text size="xs" c="dimmed">
                SQLite keeps the space of deleted rows for itself otherwise.
              </Text>
            </div>
            <Switch
              aria-label="Give the disk its space back"
              checked={vacuum}
              disabled={!can}
              onChange={(event) => setVacuum(event.currentTarget.checked)}
            />
            <span />
          </div>
        </Paper>
        {can ? (
          <Group justify="flex-end" mt="sm">
            <Button type="submit" loading={save.isPending} disabled={changes.length === 0 && vacuum === vacuumed}>
              Save
            </Button>
          </Group>
        ) : (
          <Text size="xs" c="dimmed" mt="sm">
            Only a superadmin changes this.
          </Text>
        )}
      </form>
    </Section>
  );
}

function NextRun({ state }: { state: State }) {
  const client = useQueryClient();
  const can = useCan()("retention.write");
  const preview = useQuery(previewQuery);
  const [asking, setAsking] = useState(false);
  const run = useMutation({
    mutationFn: admin.runRetention,
    onSuccess: (done) => {
      const deleted = Object.values(done.deleted).reduce((sum, one) => sum + one, 0);
      const freed = done.freed_bytes > 0 ? ` ${bytes(done.freed_bytes)} are free again.` : "";
      tell(done.cleanup_complete ? `${count(deleted, "record")} deleted.${freed}` : done.errors.join(" "));
      setAsking(false);
      return client.invalidateQueries({ queryKey: ["admin"] });
    },
  });
  const doomed = Object.entries(preview.data?.preview ?? {}).filter(([, many]) => many > 0);
  const last = state.last_run;
  return (
    <Section
      title="What the next run deletes"
      aside={
        can && (
          <Button size="xs" variant="default" onClick={() => setAsking(true)}>
            Clean up now…
          </Button>
        )
      }
    >
      <Paper p="md" data-testid="preview">
        {preview.isPending && <Loading rows={3} />}
        {preview.error && !preview.data && (
          <Failed error={preview.error} what="what would be deleted" retry={preview.refetch} />
        )}
        {preview.data && doomed.length === 0 && (
          <Text size="sm" c="dimmed">
            Nothing: everything is younger than that.
          </Text>
        )}
        {doomed.map(([name, many]) => (
          <Group key={name} justify="space-between">
            <Text size="sm">{KEPT_WORDS[name] ?? name}</Text>
            <Text size="sm" className="num">
              {many.toLocaleString("en")}
            </Text>
          </Group>
        ))}
      </Paper>
      <Text size="xs" c="dimmed" mt={6}>
        {last ? (
          <>
            The last run was <When at={last.at} />
            {last.errors.length > 0 && `; it failed in part: ${last.errors.join(" ")}`}. The next one is{" "}
            <When at={state.next_run_at} />.
          </>
        ) : (
          "It has not run yet; it does soon after the portal starts."
        )}
      </Text>
      {asking && (
        <Confirm title="Clean up now?" verb="Clean up" close={() => setAsking(false)} act={run}>
          <Text size="sm">
            {preview.data?.total
              ? `${count(preview.data.total, "record")} are deleted for good.`
              : "Nothing is old enough to be deleted; the disk may get space back."}
          </Text>
        </Confirm>
      )}
    </Section>
  );
}
