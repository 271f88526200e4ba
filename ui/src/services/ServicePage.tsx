import { Alert, Button, Container, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import {
  IconAlertTriangle,
  IconExternalLink,
  IconEye,
  IconPlayerPlay,
  IconPlayerStop,
  IconRefresh,
  IconRocket,
  IconServerOff,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, Outlet } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { ApiError } from "../api/client";
import { serviceQuery } from "../api/queries";
import type { ServiceDetail, Unit } from "../api/types";
import { Address } from "../parts/Address";
import { StatusWord, serviceStatus } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { useCan } from "../session/session";
import { ShareButton } from "../tunnels/Shares";
import { useServiceActions } from "./actions";
import { Redeploy } from "./Redeploy";
import classes from "./ServicePage.module.css";

const UnitPage = lazy(() => import("../units/UnitPage"));
const EndpointPage = lazy(() => import("../endpoints/EndpointPage"));
const route = getRouteApi("/services/$ref");
const TABS = [
  { to: "/services/$ref", label: "Overview" },
  { to: "/services/$ref/containers", label: "Containers", stack: true },
  { to: "/services/$ref/logs", label: "Logs" },
  { to: "/services/$ref/events", label: "Events" },
  { to: "/services/$ref/releases", label: "Releases" },
  { to: "/services/$ref/settings", label: "Settings" },
] as const satisfies { to: string; label: string; stack?: boolean }[];

/** Whether it runs in containers, so that there is more than one part to look at. */
const isStack = (service: ServiceDetail | undefined) =>
  service?.driver === "compose" || service?.driver === "swarm" || /^(compose|ai)$/.test(service?.deploy_method ?? "");

/** A service, each kind by a page of its own. */
export default function ServicePage() {
  return (
    <Suspense fallback={<Loading rows={6} />}>
      <OfItsKind />
    </Suspense>
  );
}

function OfItsKind() {
  const { ref } = route.useParams();
  const service = useQuery(serviceQuery(ref));
  useDocumentTitle(`${service.data?.name ?? ref} · Homeport`);
  if (service.error instanceof ApiError && service.error.status === 404)
    return (
      <Empty
        icon={<IconServerOff size={36} stroke={1.3} />}
        title={`There is no service called ${ref}`}
        action={
          <Button component={Link} to="/services" variant="default">
            Show all services
          </Button>
        }
      >
        It may have been deleted.
      </Empty>
    );
  if (service.error && !service.data) return <Failed error={service.error} what={ref} retry={service.refetch} />;
  if (service.data?.kind === "unit") return <UnitPage unit={service.data as unknown as Unit} />;
  if (service.data?.kind === "endpoint") return <EndpointPage service={service.data} />;
  return (
    <Container size={1180} px={0}>
      <Stack gap="md" className="tall">
        {service.data ? (
          <Head service={service.data} />
        ) : (
          <Stack gap="xs" h={68}>
            <Skeleton height={28} width={220} />
            <Skeleton height={18} width={300} />
          </Stack>
        )}
        {service.data && <Trouble service={service.data} />}
        <nav className={classes.tabs} aria-label={`Parts of ${ref}`}>
          {TABS.filter((one) => !("stack" in one) || isStack(service.data)).map(({ to, label }) => (
            <Link key={to} to={to} params={{ ref }} activeOptions={{ exact: true }} className={classes.tab}>
              {label}
            </Link>
          ))}
        </nav>
        {service.data ? <Outlet /> : <Loading rows={6} />}
      </Stack>
    </Container>
  );
}

function Head({ service }: { service: ServiceDetail }) {
  return (
    <Group justify="space-between" align="flex-start" gap="sm">
      <Stack gap={4} miw={0}>
        <Group gap="sm">
          <Title order={1} style={{ overflowWrap: "anywhere" }}>
            {service.name}
          </Title>
          <span aria-live="polite">
            <StatusWord status={serviceStatus(service)} pill />
          </span>
        </Group>
        {service.url && <Address url={service.url} />}
      </Stack>
      <Actions service={service} />
    </Group>
  );
}

function Actions({ service }: { service: ServiceDetail }) {
  const can = useCan();
  const { act } = useServiceActions();
  const { name: ref, status } = service;
  const write = can("services.write");
  const running = status === "running";
  const busy = act.isPending ? act.variables.action : null;
  if (status === "deploying" && service.deploy_job_id)
    return (
      <Button component={Link} to={`/jobs/${service.deploy_job_id}`} leftSection={<IconEye size={16} />}>
        Watch the deploy
      </Button>
    );
  return (
    <Group gap="xs" className={classes.actions}>
      {write && running && (
        <>
          <Button
            variant="default"
            leftSection={<IconPlayerStop size={16} />}
            loading={busy === "stop"}
            disabled={busy !== null}
            onClick={() => act.mutate({ ref, action: "stop" })}
          >
            Stop
          </Button>
          <Button
            variant="default"
            leftSection={<IconRefresh size={16} />}
            loading={busy === "restart"}
            disabled={busy !== null}
            onClick={() => act.mutate({ ref, action: "restart" })}
          >
            Restart
          </Button>
        </>
      )}
      <ShareButton service={ref} />
      {can("services.deploy") && (
        <Redeploy service={service}>
          {(open) => (
            <Button
              variant={status === "failed" ? "filled" : "default"}
              leftSection={<IconRocket size={16} />}
              onClick={open}
            >
              Redeploy
            </Button>
          )}
        </Redeploy>
      )}
      {running && service.url && (
        <Button
          component="a"
          href={service.url}
          target="_blank"
          rel="noreferrer"
          leftSection={<IconExternalLink size={16} />}
        >
          Open
        </Button>
      )}
      {write && !running && service.release !== null && (
        <Button
          variant={status === "failed" ? "default" : "filled"}
          leftSection={<IconPlayerPlay size={16} />}
          loading={busy === "start"}
          onClick={() => act.mutate({ ref, action: "start" })}
        >
          Start
        </Button>
      )}
      {!write && (
        <Text size="xs" c="dimmed">
          Read-only
        </Text>
      )}
    </Group>
  );
}

/** What is wrong or waiting, with the one thing to press. */
function Trouble({ service }: { service: ServiceDetail }) {
  const can = useCan();
  const { redeploy, why } = useServiceActions();
  const { name: ref } = service;
  const alerts = [];
  if (service.error && service.status !== "deploying") {
    const serving = service.status === "running";
    alerts.push(
      <Alert
        key="error"
        color={serving ? "yellow" : "red"}
        variant="light"
        icon={<IconAlertTriangle />}
        title={serving ? "The last deploy failed; the release before it keeps serving" : `${ref} does not run`}
      >
        <Group justify="space-between" gap="sm">
          <Text size="sm">{service.error}</Text>
          <Group gap="xs">
            {serving || service.release === null ? (
              <Button size="xs" variant="default" loading={why.isPending} onClick={() => why.mutate(ref)}>
                See what went wrong
              </Button>
            ) : (
              <Button size="xs" variant="default" component={Link} to={`/services/${ref}/logs`}>
                Read the log
              </Button>
            )}
          </Group>
        </Group>
      </Alert>,
    );
  } else if (service.status === "running" && service.health.status === "unhealthy")
    alerts.push(
      <Alert
        key="health"
        color="red"
        variant="light"
        icon={<IconAlertTriangle />}
        title={`${ref} runs but failed ${service.health.consecutive_failures} checks in a row`}
      >
        <Group justify="space-between" gap="sm">
          <Text size="sm">{service.health.message}</Text>
          <Button size="xs" variant="default" component={Link} to={`/services/${ref}/logs`}>
            Read the log
          </Button>
        </Group>
      </Alert>,
    );
  if (service.variables_changed && service.status !== "deploying")
    alerts.push(
      <Alert key="changed" color="harbor" variant="light" p="xs">
        <Group justify="space-between" gap="sm">
          <Text size="sm">You changed settings since the last deploy. They apply when you redeploy.</Text>
          {can("services.deploy") && (
            <Button size="xs" loading={redeploy.isPending} onClick={() => redeploy.mutate({ ref })}>
              Redeploy to apply
            </Button>
          )}
        </Group>
      </Alert>,
    );
  return alerts;
}
