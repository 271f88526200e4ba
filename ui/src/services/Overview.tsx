import { Code, Group, Paper, SegmentedControl, SimpleGrid, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { eventsQuery, metricsQuery, serviceQuery } from "../api/queries";
import type { ServiceDetail } from "../api/types";
import { EventLines } from "../events/EventLines";
import { Chart } from "../parts/Chart";
import { Copy } from "../parts/Copy";
import { cpu, megabytes } from "../parts/numbers";
import { Section } from "../parts/Page";
import { StatusWord } from "../parts/StatusWord";
import { Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import { Shares } from "../tunnels/Shares";
import classes from "./ServicePage.module.css";
import { runsFor, secondsUp } from "./uptime";

const route = getRouteApi("/services/$ref");

export default function Overview() {
  const { ref } = route.useParams();
  const { data: service } = useQuery(serviceQuery(ref));
  if (!service) return null;
  return (
    <>
      <Shares service={service.name} />
      <div className={classes.grid}>
        <Stack gap="lg">
          <Resources service={service} />
          <Recent service={service} />
        </Stack>
        <Section title="Details">
          <Paper p="md">
            <Facts service={service} />
          </Paper>
        </Section>
      </div>
    </>
  );
}

function Resources({ service }: { service: ServiceDetail }) {
  const { ref } = route.useParams();
  const [minutes, setMinutes] = useState((secondsUp(service) ?? 300) < 300 ? "5" : "15");
  const metrics = useQuery(metricsQuery(ref, Number(minutes)));
  const points = metrics.data?.data ?? [];
  const { resources } = service;
  const running = service.status === "running";
  const span = Number(minutes) * 60_000;
  return (
    <Section
      title="Resources"
      aside={
        <SegmentedControl
          size="xs"
          aria-label="How far back"
          value={minutes}
          onChange={setMinutes}
          data={[
            { value: "5", label: "5 min" },
            { value: "15", label: "15 min" },
            { value: "60", label: "1 h" },
          ]}
        />
      }
    >
      {metrics.error && <Failed error={metrics.error} what="the measurements" retry={metrics.refetch} />}
      {!metrics.error && (
        <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
          <Paper p="md">
            <Chart
              title="CPU"
              now={running ? cpu(resources.cpu_usage) : "–"}
              of={`of ${cpu(resources.cpu_limit)}`}
              limit={resources.cpu_limit}
              text={cpu}
              least={0.05}
              span={span}
              points={points.map((point) => ({ at: Date.parse(point.at), value: point.cpu_usage }))}
            />
          </Paper>
          <Paper p="md">
            <Chart
              title="Memory"
              now={running ? megabytes(resources.memory_usage_mb) : "–"}
              of={`of ${megabytes(resources.memory_limit_mb)}`}
              limit={resources.memory_limit_mb}
              text={megabytes}
              least={16}
              span={span}
              points={points.map((point) => ({ at: Date.parse(point.at), value: point.memory_usage_mb }))}
            />
          </Paper>
        </SimpleGrid>
      )}
    </Section>
  );
}

function Recent({ service }: { service: ServiceDetail }) {
  const { ref } = route.useParams();
  const events = useQuery(eventsQuery(ref));
  return (
    <Section
      title="Lately"
      aside={
        <Link to="/services/$ref/events" params={{ ref: service.name }} className="plain-link">
          <Text size="xs" c="dimmed">
            All events
          </Text>
        </Link>
      }
    >
      <Paper p="md">
        {events.isPending && <Loading rows={3} />}
        {events.error && <Failed error={events.error} what="the events" retry={events.refetch} />}
        {events.data && <EventLines events={events.data.events.slice(0, 6)} />}
        {events.data?.total === 0 && (
          <Text size="sm" c="dimmed">
            Nothing has happened yet.
          </Text>
        )}
      </Paper>
    </Section>
  );
}

function Facts({ service }: { service: ServiceDetail }) {
  const { health, detection, resources } = service;
  const facts: [string, ReactNode][] = [
    [
      "Health",
      <Stack gap={0} key="health">
        <StatusWord
          status={service.status === "running" ? health.status : "unknown"}
          word={service.status === "running" ? undefined : "Not checked"}
        />
        {health.last_check && service.status === "running" && (
          <Text size="xs" c="dimmed">
            <When at={health.last_check} prefix="checked " />
          </Text>
        )}
      </Stack>,
    ],
    ["Running for", service.status === "running" ? runsFor(service) : "–"],
    ["Restarts", String(service.restarts)],
    [
      "Release",
      service.release !== null ? (
        <Link key="r" to="/services/$ref/releases" params={{ ref: service.name }}>{`Release ${service.release}`}</Link>
      ) : (
        "None yet"
      ),
    ],
    ["Deployed", service.deployed_at ? <When key="d" at={service.deployed_at} /> : "Never"],
    ["Source", <SourceFact key="s" service={service} />],
  ];
  if (service.revision && service.deploy_method === "git")
    facts.push(["Commit", <Code key="c">{service.revision.slice(0, 12)}</Code>]);
  if (detection) {
    facts.push(["Built as", [detection.kind, detection.version].filter(Boolean).join(" ")]);
    if (detection.start) facts.push(["Starts with", <Code key="start">{detection.start}</Code>]);
  }
  facts.push(["Storage", megabytes(resources.storage_mb)], ["Created", <When key="cr" at={service.created_at} />]);
  facts.push([
    "Id",
    <Group gap={2} key="id" wrap="nowrap">
      <span className="mono cut">{service.id}</span>
      <Copy text={service.id} label="Copy the id" />
    </Group>,
  ]);
  return (
    <dl className={classes.facts}>
      {facts.map(([name, value]) => (
        <div key={name} style={{ display: "contents" }}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function SourceFact({ service }: { service: ServiceDetail }) {
  if (service.deploy_method === "git" || service.deploy_method === "ai")
    return (
      <>
        {service.git_url}
        {service.git_branch && ` (${service.git_branch})`}
      </>
    );
  if (service.deploy_method === "compose") return "Compose document";
  return service.deploy_method === "template" ? `Template ${service.template ?? ""}` : "Uploaded folder";
}
