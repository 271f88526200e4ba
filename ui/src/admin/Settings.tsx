import {
  Alert,
  Button,
  Group,
  NumberInput,
  Paper,
  Stack,
  Switch,
  Table,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ApiError } from "../api/client";
import { Section } from "../parts/Page";
import { fieldsOf, Refused } from "../parts/problems";
import rows from "../parts/Rows.module.css";
import { Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { useCan } from "../session/session";
import { addressQuery, admin, outboundQuery, permissionsQuery, rateLimitsQuery, settingsQuery } from "./calls";
import { SealKeys } from "./SealKeys";
import type { Outbound, Permissions, PortalAddress } from "./types";
import { listOf } from "./words";

/** What an administrator sets for everybody. */
export default function Settings() {
  const can = useCan()("settings.write");
  return (
    <Stack gap="lg" maw={860}>
      <Address can={can} />
      <People can={can} />
      <OutboundNetworks can={can} />
      <SealKeys can={can} />
      <Limits />
      <AllSettings />
    </Stack>
  );
}

function Address({ can }: { can: boolean }) {
  const address = useQuery(addressQuery);
  return (
    <Section title="Where this portal is">
      <Paper p="md">
        {address.isPending && <Loading rows={3} />}
        {address.error && !address.data && <Failed error={address.error} what="the address" retry={address.refetch} />}
        {address.data && (
          <AddressForm
            key={`${address.data.hostname} ${address.data.stream_hostname} ${address.data.port}`}
            address={address.data}
            can={can}
          />
        )}
      </Paper>
    </Section>
  );
}

function AddressForm({ address, can }: { address: PortalAddress; can: boolean }) {
  const client = useQueryClient();
  const [hostname, setHostname] = useState(address.hostname);
  const [stream, setStream] = useState(address.stream_hostname);
  const [port, setPort] = useState<number | string>(address.port);
  const save = useMutation({
    mutationFn: () =>
      admin.setAddress({ hostname: hostname.trim(), stream_hostname: stream.trim(), port: Number(port) }),
    onSuccess: (saved) => {
      tell(saved.restart_required ? "Saved. It counts after the next start." : "Saved.");
      client.setQueryData(addressQuery.queryKey, saved);
    },
  });
  const fields = fieldsOf(save.error);
  const fixed = (name: string) => !can || address.overruled.includes(name);
  const changed = hostname !== address.hostname || stream !== address.stream_hostname || Number(port) !== address.port;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const why = (name: string, otherwise: string) =>
    address.overruled.includes(name) ? "Set by the command line or the environment of the portal" : otherwise;
  return (
    <form onSubmit={submit}>
      <Stack>
        {address.restart_required && (
          <Alert color="yellow" p="xs">
            The portal still runs as {address.base_url}. Restart it to use what is set here.
          </Alert>
        )}
        <Refused error={save.error} shown={["hostname", "port", "stream_hostname"]} />
        <Group align="flex-start" grow preventGrowOverflow={false}>
          <TextInput
            label="Host name"
            miw={220}
            description={why("hostname", "Apps live below it")}
            value={hostname}
            disabled={fixed("hostname")}
            error={fields.hostname}
            spellCheck={false}
            onChange={(event) => setHostname(event.currentTarget.value)}
          />
          <NumberInput
            label="Port"
            miw={120}
            description={why("port", "One for everything")}
            min={1}
            max={65535}
            hideControls
            value={port}
            disabled={fixed("port")}
            error={fields.port}
            onChange={setPort}
          />
        </Group>
        <TextInput
          label="Host name for streams"
          description={why("stream_hostname", "Empty: the same")}
          value={stream}
          disabled={fixed("stream_hostname")}
          error={fields.stream_hostname}
          spellCheck={false}
          onChange={(event) => setStream(event.currentTarget.value)}
        />
        {can && (
          <Group justify="flex-end">
            <Button type="submit" loading={save.isPending} disabled={!changed}>
              Save
            </Button>
          </Group>
        )}
      </Stack>
    </form>
  );
}

const PERMISSIONS: { name: keyof Permissions; label: string; description: string }[] = [
  {
    name: "allow_registration",
    label: "Whoever has an invite may register",
    description: "Off: only administrators make accounts, and codes wait",
  },
  {
    name: "allow_user_connections",
    label: "Users may add connections",
    description: "Off: they use those that administrators share",
  },
  {
    name: "allow_user_streams",
    label: "Users may make streams",
    description: "Off: only administrators do",
  },
];

function People({ can }: { can: boolean }) {
  const client = useQueryClient();
  const permissions = useQuery(permissionsQuery);
  const save = useMutation({
    mutationFn: (change: Partial<Permissions>) => admin.setPermissions(change),
    onSuccess: (saved) => client.setQueryData(permissionsQuery.queryKey, saved),
    onError: (error) => tellProblem(error),
  });
  return (
    <Section title="What people may do">
      <Paper p="md">
        {permissions.isPending && <Loading rows={3} />}
        {permissions.error && !permissions.data && (
          <Failed error={permissions.error} what="the permissions" retry={permissions.refetch} />
        )}
        {permissions.data && (
          <Stack gap="sm">
            {PERMISSIONS.map(({ name, label, description }) => (
              <Switch
                key={name}
                label={label}
                description={description}
                checked={permissions.data[name]}
                disabled={!can || (save.isPending && name in save.variables)}
                onChange={(event) => save.mutate({ [name]: event.currentTarget.checked })}
              />
            ))}
          </Stack>
        )}
      </Paper>
    </Section>
  );
}

function OutboundNetworks({ can }: { can: boolean }) {
  const outbound = useQuery(outboundQuery);
  return (
    <Section title="Private networks that apps and users may reach through the portal">
      <Paper p="md">
        {outbound.isPending && <Loading rows={3} />}
        {outbound.error && !outbound.data && (
          <Failed error={outbound.error} what="the networks" retry={outbound.refetch} />
        )}
        {outbound.data && <OutboundForm key={outbound.data.allow.join()} outbound={outbound.data} can={can} />}
      </Paper>
    </Section>
  );
}

function OutboundForm({ outbound, can }: { outbound: Outbound; can: boolean }) {
  const client = useQueryClient();
  const [text, setText] = useState(outbound.allow.join("\n"));
  const save = useMutation({
    mutationFn: () => admin.setOutbound(listOf(text)),
    onSuccess: (saved) => {
      tell("Saved. It counts for the next connection.");
      client.setQueryData(outboundQuery.queryKey, saved);
    },
  });
  const problems = save.error instanceof ApiError ? Object.values(save.error.fields) : [];
  return (
    <Stack>
      {outbound.warnings.map((warning) => (
        <Alert key={warning} color="yellow" p="xs">
          {warning}
        </Alert>
      ))}
      {outbound.settings.length > 0 && (
        <Text size="sm">
          Open by the settings: <span className="mono">{outbound.settings.join(", ")}</span>
        </Text>
      )}
      <Textarea
        label="Networks"
        description="One a line, as 192.168.0.0/16. All other private, local and link-local addresses are refused"
        autosize
        minRows={3}
        maxRows={10}
        disabled={!can}
        spellCheck={false}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", fontSize: 13 } }}
        value={text}
        error={save.error && (problems.length ? problems.join(" ") : save.error.message)}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      {can && (
        <Group justify="flex-end">
          <Button
            loading={save.isPending}
            disabled={listOf(text).join() === outbound.allow.join()}
            onClick={() => save.mutate()}
          >
            Save
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function Limits() {
  const limits = useQuery(rateLimitsQuery);
  const { data } = limits;
  const aMinute = (most: number) => (most ? `${most} a minute` : "no limit");
  const list: [string, string][] = data
    ? [
        ["By token, key or certificate", aMinute(data.api)],
        ["By a signed-in browser", aMinute(data.pages)],
        ["Sign-ins and registrations from one network", aMinute(data.auth)],
        ["Live connections of one person", data.sockets_per_user ? String(data.sockets_per_user) : "no limit"],
        ["Counted in", data.storage === "redis" ? "Redis, for all portals together" : "memory, for this portal"],
      ]
    : [];
  return (
    <Section title="How often somebody may ask">
      <Paper>
        {limits.isPending && <Loading rows={4} />}
        {limits.error && !data && <Failed error={limits.error} what="the limits" retry={limits.refetch} />}
        {data && (
          <Table>
            <Table.Tbody>
              {list.map(([what, limit]) => (
                <Table.Tr key={what}>
                  <Table.Td>{what}</Table.Td>
                  <Table.Td ta="right" className="num">
                    {limit}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Paper>
      <Text size="xs" c="dimmed" mt={6}>
        Set in homeport.toml; it counts after the next start.
      </Text>
    </Section>
  );
}

const asText = (value: unknown): string => {
  if (Array.isArray(value)) return value.join(", ");
  return value === "" || value === null || value === undefined ? "" : String(value);
};

function AllSettings() {
  const [shown, setShown] = useState(false);
  const settings = useQuery({ ...settingsQuery, enabled: shown });
  return (
    <Section
      title="All settings"
      aside={
        <Button size="xs" variant="default" onClick={() => setShown(!shown)} aria-expanded={shown}>
          {shown ? "Hide" : "Show"}
        </Button>
      }
    >
      {shown && settings.isPending && <Loading rows={6} />}
      {shown && settings.error && <Failed error={settings.error} what="the settings" retry={settings.refetch} />}
      {shown && settings.data && (
        <Paper>
          <Table className={rows.rows}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Setting</Table.Th>
                <Table.Th>Value</Table.Th>
                <Table.Th>From</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {settings.data.settings.map((one) => (
                <Table.Tr key={one.name} data-setting={one.name}>
                  <Table.Td data-wide>
                    <span className="mono">{one.name}</span>
                    <Text size="xs" c="dimmed">
                      {one.description}
                    </Text>
                  </Table.Td>
                  <Table.Td className="mono">
                    {asText(one.value)}
                    {one.changes_at_restart && (
                      <Text size="xs" c="var(--warn)">
                        after the next start: {asText(one.next)}
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td c="dimmed">{one.source}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
    </Section>
  );
}
