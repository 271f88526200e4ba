import { ActionIcon, Button, Group, Menu, Paper, SegmentedControl, Table, Text, Tooltip } from "@mantine/core";
import { IconCheck, IconDots, IconRouteAltLeft, IconSearchOff } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Address } from "../parts/Address";
import { bytes, count } from "../parts/numbers";
import rows from "../parts/Rows.module.css";
import { SearchField } from "../parts/SearchField";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import admin from "./Admin.module.css";
import classes from "./Relay.module.css";
import { BanAddress, BanIdentity, LimitDialog } from "./RelayDialogs";
import { type Decision, RELAY_KEY, type RelayTunnel, relay, relayTunnelsQuery } from "./relayCalls";
import { leaseState, rate, searched } from "./relayWords";

const SHOWN = 200;
type Asked = { about: "identity" | "address" | "limit"; tunnel: RelayTunnel };

/** Every lease, as it is now, with what can be decided about it. */
export function RelayTunnels({ can }: { can: boolean }) {
  const query = useQuery(relayTunnelsQuery);
  const [search, setSearch] = useState("");
  const [which, setWhich] = useState("all");
  const [asked, setAsked] = useState<Asked | null>(null);
  const all = query.data?.tunnels ?? [];
  const waiting = all.filter((one) => one.waits).length;
  const list = searched(which === "waiting" ? all.filter((one) => one.waits) : all, search).toSorted(
    (a, b) => Number(b.waits) - Number(a.waits) || a.hostname.localeCompare(b.hostname),
  );
  const close = () => setAsked(null);
  return (
    <>
      {query.isPending && <Loading rows={5} height={30} />}
      {query.error && !query.data && <Failed error={query.error} what="the tunnels" retry={query.refetch} />}
      {query.data && all.length === 0 && (
        <Empty icon={<IconRouteAltLeft size={34} stroke={1.4} />} title="Nobody tunnels through this relay">
          Agents register here by themselves: <code>homeport expose 3000</code>, or any client of the same protocol.
        </Empty>
      )}
      {all.length > 0 && (
        <Group gap="sm" mb="md">
          <SearchField
            label="Search tunnels"
            placeholder="Name, wallet or IP address"
            className={admin.search}
            value={search}
            change={setSearch}
          />
          <SegmentedControl
            size="xs"
            aria-label="Which tunnels"
            data={[
              { value: "all", label: "All" },
              { value: "waiting", label: `Waiting (${waiting})` },
            ]}
            value={which}
            onChange={setWhich}
          />
          <Text size="sm" c="dimmed" ml="auto" className="num wide-only" aria-live="polite">
            {count(list.length, "tunnel")}
          </Text>
        </Group>
      )}
      {all.length > 0 && list.length === 0 && (
        <Empty icon={<IconSearchOff size={32} stroke={1.4} />} title="No tunnel matches" />
      )}
      {list.length > 0 && (
        <Paper>
          <Table className={rows.rows} highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Tunnel</Table.Th>
                <Table.Th>Status</Table.Th>
                <Table.Th>From</Table.Th>
                <Table.Th ta="right">Visitors</Table.Th>
                <Table.Th ta="right">Traffic</Table.Th>
                <Table.Th>Limit</Table.Th>
                <Table.Th>Since</Table.Th>
                <Table.Th aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.slice(0, SHOWN).map((one) => (
                <Row key={one.id} tunnel={one} can={can} ask={(about) => setAsked({ about, tunnel: one })} />
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      {list.length > SHOWN && (
        <Text size="sm" c="dimmed" mt="xs">
          The first {SHOWN} of {list.length.toLocaleString("en")}: search for the others.
        </Text>
      )}
      {asked?.about === "identity" && <BanIdentity who={asked.tunnel} close={close} />}
      {asked?.about === "address" && <BanAddress address={asked.tunnel.client_ip} close={close} />}
      {asked?.about === "limit" && <LimitDialog who={asked.tunnel} bps={asked.tunnel.bps} close={close} />}
    </>
  );
}

const DONE: Record<Decision, [string, string]> = {
  approve: ["may be reached now", "needs an approval again"],
  deny: ["is denied", "is no longer denied"],
  ban: ["is banned", "may register again"],
};

function Row({ tunnel, can, ask }: { tunnel: RelayTunnel; can: boolean; ask: (about: Asked["about"]) => void }) {
  const client = useQueryClient();
  const decide = useMutation({
    mutationFn: ({ what, back }: { what: Decision; back?: boolean }) =>
      back ? relay.takeBack(tunnel, what) : relay.decide(tunnel, what),
    onSuccess: (_, { what, back }) => {
      tell(`${tunnel.name} ${DONE[what][back ? 1 : 0]}.`);
      return client.invalidateQueries({ queryKey: RELAY_KEY });
    },
    onError: (error) => tellProblem(error, `Nothing was decided about ${tunnel.name}`),
  });
  const state = leaseState(tunnel);
  const item = (label: string, what: Decision, back?: boolean) => (
    <Menu.Item onClick={() => decide.mutate({ what, back })}>{label}</Menu.Item>
  );
  return (
    <Table.Tr data-lease={tunnel.name}>
      <Table.Td data-wide>
        <Address url={`https://${tunnel.hostname}${location.port && `:${location.port}`}`} copy={false} />
        <Tooltip label={tunnel.address}>
          <Text size="xs" c="dimmed" className="mono" span>
            {tunnel.address.slice(0, 8)}…{tunnel.address.slice(-4)}
          </Text>
        </Tooltip>
        <Text size="xs" c="dimmed">
          {[tunnel.tcp_addr && `TCP ${tunnel.tcp_addr}`, tunnel.udp_addr && `UDP ${tunnel.udp_addr}`]
            .filter(Boolean)
            .join(", ")}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusWord status={state.word} tone={state.tone} />
      </Table.Td>
      <Table.Td className="num" data-label="From">
        {tunnel.client_ip}
      </Table.Td>
      <Table.Td ta="right" className="num" data-label="Visitors">
        {tunnel.connections.toLocaleString("en")}
        {tunnel.open > 0 && ` (${tunnel.open.toLocaleString("en")} now)`}
      </Table.Td>
      <Table.Td ta="right" className="num" data-label="Traffic">
        {bytes(tunnel.received_bytes + tunnel.sent_bytes)}
      </Table.Td>
      <Table.Td c={tunnel.bps ? undefined : "dimmed"} className="num" data-label="Limit">
        {rate(tunnel.bps)}
      </Table.Td>
      <Table.Td c="dimmed" data-label="Since">
        <When at={tunnel.first_seen_at} />
      </Table.Td>
      <Table.Td ta="right">
        {can && (
          <Group gap={4} justify="flex-end" wrap="nowrap" className={classes.acts}>
            {tunnel.waits && (
              <Button
                size="compact-sm"
                leftSection={<IconCheck size={14} />}
                loading={decide.isPending}
                aria-label={`Approve ${tunnel.name}`}
                onClick={() => decide.mutate({ what: "approve" })}
              >
                Approve
              </Button>
            )}
            <Menu position="bottom-end" width={220}>
              <Menu.Target>
                <ActionIcon aria-label={`Decide about ${tunnel.name}`}>
                  <IconDots size={17} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                {!tunnel.is_approved && item("Approve", "approve")}
                {tunnel.is_approved && !tunnel.waits && item("Take the approval back", "approve", true)}
                {tunnel.is_denied ? item("Take the denial back", "deny", true) : item("Deny", "deny")}
                <Menu.Item onClick={() => ask("limit")}>Limit its speed…</Menu.Item>
                <Menu.Divider />
                {tunnel.is_banned ? (
                  item("Lift the ban", "ban", true)
                ) : (
                  <Menu.Item color="red" onClick={() => ask("identity")}>
                    Ban this identity…
                  </Menu.Item>
                )}
                {tunnel.client_ip && !tunnel.is_ip_banned && (
                  <Menu.Item color="red" onClick={() => ask("address")}>
                    Ban {tunnel.client_ip}…
                  </Menu.Item>
                )}
              </Menu.Dropdown>
            </Menu>
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
