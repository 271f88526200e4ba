import { Alert, Anchor, Button, Container, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { IconAlertTriangle, IconExternalLink, IconRouteOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { ApiError } from "../api/client";
import { bytes } from "../parts/numbers";
import { Section } from "../parts/Page";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { useNow, When } from "../parts/When";
import { type Tunnel, tunnelQuery } from "./calls";
import { Access, EndButton, Qr, TunnelStatus, Where } from "./parts";
import classes from "./Tunnels.module.css";
import { ends, TONES } from "./words";

const route = getRouteApi("/tunnels/$id");

/** One tunnel: its address to hand on, how it does, what went through, and its end. */
export default function TunnelPage() {
  const { id } = route.useParams();
  const query = useQuery(tunnelQuery(id));
  useDocumentTitle(`${query.data?.name ?? "Tunnel"} · Homeport`);
  if (query.error instanceof ApiError && query.error.status === 404)
    return (
      <Empty
        icon={<IconRouteOff size={36} stroke={1.3} />}
        title="This tunnel has ended"
        action={
          <Button component={Link} to="/tunnels" variant="default">
            Show my tunnels
          </Button>
        }
      >
        Somebody ended it, or it never was.
      </Empty>
    );
  if (query.error && !query.data) return <Failed error={query.error} what="the tunnel" retry={query.refetch} />;
  return (
    <Container size={1180} px={0}>
      {query.data ? <Shown tunnel={query.data} /> : <Loading rows={6} />}
    </Container>
  );
}

function Shown({ tunnel }: { tunnel: Tunnel }) {
  const navigate = useNavigate();
  const now = useNow();
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-start" gap="sm">
        <Stack gap={4} miw={0}>
          <Group gap="sm">
            <Title order={1} style={{ overflowWrap: "anywhere" }}>
              {tunnel.name}
            </Title>
            <span aria-live="polite">
              <TunnelStatus tunnel={tunnel} pill />
            </span>
            <Access tunnel={tunnel} />
          </Group>
          <Where tunnel={tunnel} />
        </Stack>
        <Group gap="xs">
          <EndButton tunnel={tunnel} done={() => void navigate({ to: "/tunnels" })} />
          {tunnel.url && tunnel.status === "online" && (
            <Button
              component="a"
              href={tunnel.url}
              target="_blank"
              rel="noreferrer"
              leftSection={<IconExternalLink size={16} />}
            >
              Open
            </Button>
          )}
        </Group>
      </Group>
      {tunnel.error && (
        <Alert
          color={tunnel.status === "error" ? "red" : "yellow"}
          icon={<IconAlertTriangle />}
          title={tunnel.status === "error" ? "Visitors do not reach it" : undefined}
        >
          {tunnel.error}
        </Alert>
      )}
      <Paper p="md">
        <div className={classes.overview}>
          <dl className={classes.facts}>
            <Fact name="Leads to">
              {tunnel.service_name ? (
                <Anchor component={Link} to={`/services/${tunnel.service_name}`} size="sm">
                  {tunnel.service_name}
                </Anchor>
              ) : (
                "An agent elsewhere"
              )}
            </Fact>
            <Fact name="Ends">{ends(tunnel, now)}</Fact>
            <Fact name="Online since">{tunnel.since ? <When at={tunnel.since} /> : "–"}</Fact>
            <Fact name="Visitors">
              <span className="num">
                {tunnel.visitors.toLocaleString("en")}
                {tunnel.visitors_now > 0 && `, ${tunnel.visitors_now.toLocaleString("en")} now`}
              </span>
            </Fact>
            <Fact name="From visitors">
              <span className="num">{bytes(tunnel.bytes_in)}</span>
            </Fact>
            <Fact name="To visitors">
              <span className="num">{bytes(tunnel.bytes_out)}</span>
            </Fact>
            <Fact name="Shared by">{tunnel.owner || "–"}</Fact>
            <Fact name="Shared">
              <When at={tunnel.created_at} />
            </Fact>
            <Fact name="In public lists">{tunnel.hide ? "No" : "Yes"}</Fact>
            {tunnel.udp_address && <Fact name="UDP">{tunnel.udp_address}</Fact>}
            {tunnel.description && <Fact name="Description">{tunnel.description}</Fact>}
          </dl>
          <Qr tunnel={tunnel} />
        </div>
        <Text size="xs" c="dimmed" mt="sm">
          Visitors and traffic are counted since the portal started.
        </Text>
      </Paper>
      {tunnel.relays.length > 0 && (
        <Section title={tunnel.relays.length > 1 ? "Relays" : "Relay"}>
          <Paper>
            <Stack gap={0}>
              {tunnel.relays.map((relay) => (
                <Group key={relay.url} justify="space-between" p="sm" gap="xs">
                  <Stack gap={0} miw={0}>
                    <span className="mono cut">{relay.url}</span>
                    {relay.error && (
                      <Text size="xs" c="dimmed">
                        {relay.error}
                      </Text>
                    )}
                  </Stack>
                  <StatusWord status={relay.status} tone={TONES[relay.status]} />
                </Group>
              ))}
            </Stack>
          </Paper>
        </Section>
      )}
    </Stack>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
