import { Alert, Button, Group, Paper, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconExternalLink, IconRocket } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { recentQuery, servicesQuery } from "../api/queries";
import type { ServiceRow } from "../api/types";
import { Begin } from "../deploy/Begin";
import { EventLines } from "../events/EventLines";
import { count } from "../parts/numbers";
import { Page, Section } from "../parts/Page";
import { StatusWord, serviceStatus } from "../parts/StatusWord";
import { Failed, Loading } from "../parts/states";
import { useServiceActions } from "../services/actions";
import { RowActions } from "../services/RowActions";
import { Source } from "../services/Source";
import { useCan } from "../session/session";
import { type Tunnel, tunnelsQuery } from "../tunnels/calls";
import classes from "./Home.module.css";
import { Machine } from "./Machine";

const FirstRun = lazy(() => import("../wizard/FirstRun"));
const LATEST = { per_page: 12, sort: "updated_at", order: "desc" } as const;

/** What is broken, what changed lately, what can I do now. */
export default function Home() {
  const can = useCan();
  const latest = useQuery(servicesQuery(LATEST));
  const failed = useQuery(servicesQuery({ ...LATEST, status: "failed" }));
  const deploying = useQuery(servicesQuery({ ...LATEST, status: "deploying" }));
  const running = useQuery(servicesQuery({ per_page: 1, status: "running" }));
  const tunnels = useQuery({ ...tunnelsQuery(false), refetchInterval: 15_000, enabled: can("tunnels.read") });
  if (latest.isPending) return <Loading rows={8} />;
  if (latest.error) return <Failed error={latest.error} what="your services" retry={latest.refetch} />;
  if (latest.data.total === 0)
    return (
      <Page title="Welcome to Homeport">
        <FirstSteps />
        <Begin />
      </Page>
    );
  const rows = latest.data.data;
  const ill = rows.filter((row) => serviceStatus(row) === "unhealthy");
  const broken = [...(failed.data?.data ?? []), ...ill];
  const busy = deploying.data?.data ?? [];
  const unreachable = (tunnels.data?.data ?? []).filter((one) => one.status === "error");
  const actions = (
    <Group gap="md">
      <Text size="sm" c="dimmed" className="num">
        {running.data?.total ?? 0} of {count(latest.data.total, "service")} running
      </Text>
      {can("services.deploy") && (
        <Button leftSection={<IconRocket size={16} />} component={Link} to="/deploy">
          Deploy a service
        </Button>
      )}
    </Group>
  );
  return (
    <Page title="Home" actions={actions}>
      {broken.length + unreachable.length > 0 && (
        <Stack gap="xs" role="region" aria-label="Broken">
          {broken.map((row) => (
            <Broken key={row.id} row={row} />
          ))}
          {unreachable.map((one) => (
            <Unreachable key={one.id} tunnel={one} />
          ))}
        </Stack>
      )}
      {/* Below what is broken: they come a moment later, and would push it away from who is about to press it. */}
      <FirstSteps />
      {failed.data && broken.length + unreachable.length === 0 && (
        <Group gap={8} className={classes.well}>
          <IconCircleCheck size={18} stroke={1.8} aria-hidden />
          <Text size="sm">Nothing is broken.</Text>
        </Group>
      )}
      {busy.map(
        (row) =>
          row.deploy_job_id && (
            <Alert key={row.id} color="harbor" variant="light" p="xs">
              <Group justify="space-between" gap="sm">
                <Group gap="sm">
                  <StatusWord status="deploying" />
                  <Text size="sm" fw={600}>
                    {row.name}
                  </Text>
                </Group>
                <Button size="xs" variant="default" component={Link} to={`/jobs/${row.deploy_job_id}`}>
                  Watch the deploy
                </Button>
              </Group>
            </Alert>
          ),
      )}
      <div className={classes.grid}>
        <Section
          title="Services"
          aside={
            <Link to="/services" className="plain-link">
              <Text size="xs" c="dimmed">
                All {latest.data.total}
              </Text>
            </Link>
          }
        >
          <Paper className={classes.list}>
            {rows.map((row) => (
              <Line key={row.id} row={row} />
            ))}
          </Paper>
        </Section>
        <Stack gap="lg">
          <Machine />
          <Section title="Lately">
            <Lately />
          </Section>
        </Stack>
      </div>
    </Page>
  );
}

/** The first steps of a new portal; they are code that nearly nobody needs. */
function FirstSteps() {
  const mayBe = useCan()("users.delete");
  return <Suspense fallback={null}>{mayBe && <FirstRun />}</Suspense>;
}

/** A broken service with the one thing to press. */
function Broken({ row }: { row: ServiceRow }) {
  const can = useCan();
  const { why } = useServiceActions();
  const ill = row.status === "running";
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle />}
      title={
        <Link to="/services/$ref" params={{ ref: row.name }} className="plain-link">
          {row.name} {ill ? "runs but fails its health checks" : "has failed"}
        </Link>
      }
    >
      <Group justify="space-between" gap="sm">
        <Text size="sm" maw={700}>
          {row.error ?? (ill ? "Visitors may see errors." : "It does not run.")}
        </Text>
        {ill && can("services.write") ? (
          <Button size="xs" component={Link} to={`/services/${row.name}/logs`} variant="default">
            Read the log
          </Button>
        ) : (
          <Button size="xs" variant="default" loading={why.isPending} onClick={() => why.mutate(row.name)}>
            See what went wrong
          </Button>
        )}
      </Group>
    </Alert>
  );
}

function Unreachable({ tunnel }: { tunnel: Tunnel }) {
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle />} title={`Nobody reaches the tunnel ${tunnel.name}`}>
      <Group justify="space-between" gap="sm">
        <Text size="sm" maw={700}>
          {tunnel.error}
        </Text>
        <Button size="xs" variant="default" component={Link} to={`/tunnels/${tunnel.id}`}>
          See the tunnel
        </Button>
      </Group>
    </Alert>
  );
}

function Line({ row }: { row: ServiceRow }) {
  return (
    <div className={classes.line} data-service={row.name}>
      <div className={classes.name}>
        <Link to="/services/$ref" params={{ ref: row.name }} className="plain-link">
          <Text span fw={600} size="sm">
            {row.name}
          </Text>
        </Link>
        <Source service={row} />
      </div>
      <StatusWord status={serviceStatus(row)} />
      <Group gap={2} wrap="nowrap" justify="flex-end">
        {row.url && row.status === "running" && (
          <Button
            size="compact-xs"
            variant="subtle"
            component="a"
            href={row.url}
            target="_blank"
            rel="noreferrer"
            rightSection={<IconExternalLink size={13} />}
            aria-label={`Open ${row.name}`}
          >
            Open
          </Button>
        )}
        <RowActions service={row} />
      </Group>
    </div>
  );
}

function Lately() {
  const recent = useQuery(recentQuery);
  return (
    <Paper p="md" py="sm">
      {recent.isPending && <Loading rows={6} />}
      {recent.error && <Failed error={recent.error} what="what happened" retry={recent.refetch} />}
      {recent.data && <EventLines events={recent.data.data.slice(0, 12)} named />}
      {recent.data?.data.length === 0 && (
        <Text size="sm" c="dimmed">
          Nothing has happened yet.
        </Text>
      )}
    </Paper>
  );
}
