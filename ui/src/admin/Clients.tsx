import { ActionIcon, Badge, Button, Group, Menu, Table, Text } from "@mantine/core";
import { IconChevronDown, IconDots, IconId } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { StatusWord } from "../parts/StatusWord";
import { useNow, When } from "../parts/When";
import { useCan } from "../session/session";
import classes from "./Admin.module.css";
import { CapabilitiesDialog, EnrolDialog, IssueDialog } from "./ClientDialogs";
import { admin, clientsQuery } from "./calls";
import { EndingList } from "./EndingList";
import type { ClientCertificate } from "./types";

type Asked = { what: "issue" | "enrol" } | { what: "capabilities" | "revoke"; of: ClientCertificate };

/** Machines and people that come with a certificate of their own. */
export default function Clients() {
  const clients = useQuery(clientsQuery);
  const can = useCan()("certificates.write");
  const now = useNow();
  const [asked, setAsked] = useState<Asked | null>(null);
  const close = () => setAsked(null);
  const port = clients.data?.port;
  const isValid = (one: ClientCertificate) => !one.revoked && Date.parse(one.expiresAt) > now;
  const add = can && (
    <Menu position="bottom-end" width={280}>
      <Menu.Target>
        <Button rightSection={<IconChevronDown size={15} />}>Let a machine in</Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => setAsked({ what: "issue" })}>Issue a certificate with its key…</Menu.Item>
        <Menu.Item onClick={() => setAsked({ what: "enrol" })}>Make an enrolment token…</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
  return (
    <>
      <EndingList
        query={clients}
        what="the client certificates"
        all={clients.data?.agents ?? []}
        lives={isValid}
        word="Valid"
        add={add}
        icon={<IconId size={32} stroke={1.4} />}
        none={{
          title: "No machine has a certificate",
          text: `A certificate lets a machine in${port ? ` at port ${port}` : ""} without a password, for what you allow it.`,
        }}
        noneLives={{ title: "No certificate is valid", text: "The earlier ones are revoked or expired." }}
        columns={["Label", "May", "State", "Last used", "Expires"]}
        row={(one) => (
          <Row key={one.id} client={one} valid={isValid(one)} can={can} ask={(what) => setAsked({ what, of: one })} />
        )}
      />
      {asked?.what === "issue" && <IssueDialog close={close} />}
      {asked?.what === "enrol" && <EnrolDialog close={close} />}
      {asked?.what === "capabilities" && <CapabilitiesDialog client={asked.of} close={close} />}
      {asked?.what === "revoke" && <Revoke client={asked.of} close={close} />}
    </>
  );
}

interface RowProps {
  client: ClientCertificate;
  valid: boolean;
  can: boolean;
  ask: (what: "capabilities" | "revoke") => void;
}

function Row({ client, valid, can, ask }: RowProps) {
  return (
    <Table.Tr data-client={client.label}>
      <Table.Td>
        <Text size="sm" className={classes.name}>
          {client.label}
        </Text>
        <Text size="xs" c="dimmed">
          {client.username ? `stands for ${client.username}` : client.kind}
          {client.delegatedBy && `, let in by ${client.delegatedBy}`} ·{" "}
          <span className="mono">{client.serial.slice(0, 12)}</span>
        </Text>
      </Table.Td>
      <Table.Td data-wide>
        <Group gap={4}>
          {client.capabilities.map((one) => (
            <Badge key={one} size="sm" variant="light" color="gray" tt="none">
              {one}
            </Badge>
          ))}
          {client.capabilities.length === 0 && (client.username ? "what its person may" : "nothing")}
        </Group>
      </Table.Td>
      <Table.Td>
        {client.revoked ? (
          <StatusWord status="failed" word="Revoked" />
        ) : valid ? (
          <StatusWord status="healthy" word="Valid" />
        ) : (
          <StatusWord status="stopped" word="Expired" />
        )}
      </Table.Td>
      <Table.Td c="dimmed" data-label="Last used">
        {client.lastUsedAt ? <When at={client.lastUsedAt} /> : "never"}
      </Table.Td>
      <Table.Td c="dimmed" data-label="Expires">
        <When at={client.expiresAt} />
      </Table.Td>
      <Table.Td ta="right">
        {can && valid && (
          <Menu position="bottom-end" width={200}>
            <Menu.Target>
              <ActionIcon aria-label={`What to do with ${client.label}`}>
                <IconDots size={17} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {!client.username && <Menu.Item onClick={() => ask("capabilities")}>Change what it may…</Menu.Item>}
              <Menu.Item color="red" onClick={() => ask("revoke")}>
                Revoke…
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Revoke({ client, close }: { client: ClientCertificate; close: () => void }) {
  const revoke = useAct({
    run: () => admin.revokeClient(client.id),
    done: () => `The certificate of ${client.label} no longer opens anything.`,
    close,
    refresh: [clientsQuery.queryKey],
  });
  return (
    <Confirm title={`Revoke the certificate of ${client.label}?`} verb="Revoke" close={close} act={revoke}>
      <Text size="sm">
        It is refused from now on, its open connections end, and so do the certificates that it let in. It cannot be
        made valid again; you can issue a new one.
      </Text>
    </Confirm>
  );
}
