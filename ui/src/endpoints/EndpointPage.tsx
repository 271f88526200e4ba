import { Alert, Button, Container, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconExternalLink, IconPencil, IconRefresh } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "../api/calls";
import { healthQuery } from "../api/queries";
import type { ServiceDetail } from "../api/types";
import { DangerZone } from "../parts/DangerZone";
import { useCan } from "../session/session";
import { ShareButton, Shares } from "../tunnels/Shares";
import classes from "../units/UnitPage.module.css";
import { EndpointDialog } from "./EndpointDialog";
import { Health } from "./Health";
import { pluginWord } from "./plugins";

/** Something that runs elsewhere: where it is, whether it answers, and its settings. */
export default function EndpointPage({ service }: { service: ServiceDetail }) {
  const can = useCan()("services.write");
  const [editing, setEditing] = useState(false);
  const health = useQuery({ ...healthQuery(service.name), enabled: service.enabled });
  const where = [service.host ?? service.hostname, service.port].filter(Boolean).join(":");
  const web = service.plugin === "http" || service.plugin === "https";
  const ill = service.enabled && health.data && !health.data.healthy;
  return (
    <Container size={1180} px={0}>
      <Stack gap="md">
        <Group justify="space-between" align="flex-start" gap="sm">
          <Stack gap={4} miw={0}>
            <Group gap="sm">
              <Title order={1} style={{ overflowWrap: "anywhere" }}>
                {service.display_name || service.name}
              </Title>
              <span aria-live="polite">
                <Health name={service.name} enabled={service.enabled} pill />
              </span>
            </Group>
            <Text size="sm" c="dimmed">
              {service.description || pluginWord(service.plugin)}
            </Text>
          </Stack>
          <Group gap="xs">
            <Button
              variant="default"
              leftSection={<IconRefresh size={16} />}
              loading={health.isFetching}
              disabled={!service.enabled}
              onClick={() => void health.refetch()}
            >
              Check now
            </Button>
            <ShareButton
              device
              service={service.name}
              web={["http", "https", "web", "proxy"].includes(service.plugin ?? "")}
            />
            {can && (
              <Button variant="default" leftSection={<IconPencil size={16} />} onClick={() => setEditing(true)}>
                Change
              </Button>
            )}
            {web && (
              <Button
                component="a"
                href={`${service.plugin}://${where}${service.path ?? ""}`}
                target="_blank"
                rel="noreferrer"
                leftSection={<IconExternalLink size={16} />}
              >
                Open
              </Button>
            )}
          </Group>
        </Group>
        {ill && (
          <Alert color="red" icon={<IconAlertTriangle />} title="It does not answer">
            {saidMore(health.data?.message) ?? "Is it switched on, and may this portal reach it there?"}
          </Alert>
        )}
        <Paper p="md">
          <dl className={classes.facts}>
            <Fact name="What it is" value={pluginWord(service.plugin)} />
            <Fact name="Where" value={where || "–"} />
            {web && <Fact name="Path" value={service.path || "/"} />}
            <Fact name="Category" value={service.category || "–"} />
            <Fact name="Needed scopes" value={(service.required_scopes ?? service.scopes ?? []).join(", ") || "none"} />
            <Fact name="Enabled" value={service.enabled ? "Yes" : "No"} />
          </dl>
        </Paper>
        <Shares service={service.name} />
        {can && <Danger service={service} />}
        {editing && <EndpointDialog endpoint={service} close={() => setEditing(false)} />}
      </Stack>
    </Container>
  );
}

/** What a check says beyond that nothing answers; null when that is all. */
const saidMore = (message: string | null | undefined) =>
  message && !/^it does not answer\.?$/i.test(message) ? message.charAt(0).toUpperCase() + message.slice(1) : null;

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Danger({ service }: { service: ServiceDetail }) {
  const navigate = useNavigate();
  return (
    <DangerZone
      what="endpoint"
      name={service.name}
      lost="Only what is written here; what runs there is not touched."
      remove={() => api.remove(service.name)}
      leave={() => navigate({ to: "/services", search: { kind: "endpoint" } })}
      forget={["service", service.name]}
      list={["services"]}
    />
  );
}
