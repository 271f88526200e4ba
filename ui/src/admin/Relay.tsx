import { Alert, Badge, Group, Paper, Stack, Tabs, Text } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Copy } from "../parts/Copy";
import { bytes } from "../parts/numbers";
import { Failed, Loading } from "../parts/states";
import { useCan } from "../session/session";
import classes from "./Relay.module.css";
import { RelayBans } from "./RelayBans";
import { RelaySettings } from "./RelaySettings";
import { RelayTunnels } from "./RelayTunnels";
import { type RelayStatus, relayQuery } from "./relayCalls";

/** The relay: who tunnels through it, who waits, who is kept out, and by which rules. */
export default function Relay() {
  const status = useQuery(relayQuery);
  const can = useCan()("relay.write");
  const [tab, setTab] = useState<string | null>("tunnels");
  if (status.isPending) return <Loading rows={6} height={30} />;
  if (!status.data) return <Failed error={status.error as Error} what="the relay" retry={status.refetch} />;
  const kept =
    status.data.banned_networks.length + status.data.identities.filter((one) => one.banned || one.denied).length;
  return (
    <Stack gap="md">
      {status.error && (
        <Alert color="yellow" p="xs" icon={<IconAlertTriangle />}>
          What you see may be old: {status.error.message}
        </Alert>
      )}
      <Summary status={status.data} />
      <Tabs value={tab} onChange={setTab} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab
            value="tunnels"
            rightSection={
              status.data.counts.waiting > 0 && (
                <Badge size="sm" color="yellow" variant="light" circle={status.data.counts.waiting < 10}>
                  {status.data.counts.waiting}
                </Badge>
              )
            }
          >
            Tunnels
          </Tabs.Tab>
          <Tabs.Tab value="bans">Kept out{kept > 0 && ` (${kept})`}</Tabs.Tab>
          <Tabs.Tab value="settings">Rules</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="tunnels">
          <RelayTunnels can={can} />
        </Tabs.Panel>
        <Tabs.Panel value="bans">
          <RelayBans status={status.data} can={can} />
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <RelaySettings status={status.data} can={can} />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}

function Summary({ status }: { status: RelayStatus }) {
  const { counts } = status;
  const figures: [string, string][] = [
    ["Tunnels", counts.tunnels.toLocaleString("en")],
    ["Waiting for approval", counts.waiting.toLocaleString("en")],
    ["Visitors now", counts.open.toLocaleString("en")],
    ["Visitors so far", counts.connections.toLocaleString("en")],
    ["From visitors", bytes(counts.received_bytes)],
    ["To visitors", bytes(counts.sent_bytes)],
  ];
  return (
    <Paper p="md">
      <dl className={classes.figures}>
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="num">{value}</dd>
          </div>
        ))}
      </dl>
      <Group gap={4} mt="sm" wrap="nowrap">
        <Text size="xs" c="dimmed" className="cut">
          Agents come to <span className="mono">{status.url}</span>, protocol {status.protocol_version}
        </Text>
        <Copy text={status.url} label="Copy the relay's address" />
      </Group>
    </Paper>
  );
}
