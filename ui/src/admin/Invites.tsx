import { ActionIcon, Button, Group, Modal, Stack, Table, Text, Tooltip } from "@mantine/core";
import { IconPlus, IconTicket, IconTrash, IconUsers } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { Copy } from "../parts/Copy";
import { count } from "../parts/numbers";
import { StatusWord } from "../parts/StatusWord";
import { Failed, Loading } from "../parts/states";
import { useNow, When } from "../parts/When";
import classes from "./Admin.module.css";
import { admin, cameByQuery, invitesQuery } from "./calls";
import { EndingList } from "./EndingList";
import { InviteDialog } from "./InviteDialog";
import type { Invite } from "./types";
import { inviteState } from "./words";

const TYPES: Record<Invite["type"], string> = { single_use: "For one person", timed: "For a time", daily: "For a day" };
const TONES: Record<string, string> = { active: "good", used: "idle", expired: "idle", revoked: "bad" };

/** Codes that let people register by themselves. */
export default function Invites() {
  const invites = useQuery(invitesQuery);
  const now = useNow();
  const [making, setMaking] = useState(false);
  const [ending, setEnding] = useState<Invite | null>(null);
  const [asked, setAsked] = useState<Invite | null>(null);
  const make = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
      Invite people
    </Button>
  );
  return (
    <>
      <EndingList
        query={invites}
        what="the invites"
        all={invites.data?.codes ?? []}
        lives={(one) => inviteState(one, now) === "active"}
        word="Active"
        add={make}
        icon={<IconTicket size={32} stroke={1.4} />}
        none={{
          title: "Nobody is invited",
          text: "An invite is a code. Whoever has it makes an account of their own, with the role that you choose.",
        }}
        noneLives={{ title: "No invite is active", text: "The earlier ones are used, expired or revoked." }}
        columns={["Code", "Kind", "Role", "State", "Ends", "Came"]}
        row={(invite) => (
          <Row key={invite.id} invite={invite} now={now} end={() => setEnding(invite)} ask={() => setAsked(invite)} />
        )}
      />
      {making && <InviteDialog close={() => setMaking(false)} />}
      {ending && <Revoke invite={ending} close={() => setEnding(null)} />}
      {asked && <CameBy invite={asked} close={() => setAsked(null)} />}
    </>
  );
}

function Row({ invite, now, end, ask }: { invite: Invite; now: number; end: () => void; ask: () => void }) {
  const state = inviteState(invite, now);
  return (
    <Table.Tr data-invite={invite.code} data-state={state}>
      <Table.Td>
        <Group gap={4} wrap="nowrap">
          <span className={classes.code}>{invite.code}</span>
          {state === "active" && <Copy text={invite.code} label="Copy the code" />}
        </Group>
        <Text size="xs" c="dimmed">
          {invite.label}
        </Text>
      </Table.Td>
      <Table.Td data-label="Kind">{TYPES[invite.type]}</Table.Td>
      <Table.Td data-label="Role">{invite.role}</Table.Td>
      <Table.Td>
        <StatusWord status={state} tone={TONES[state]} />
      </Table.Td>
      <Table.Td c="dimmed" data-label="Ends">
        {invite.expires_at ? <When at={invite.expires_at} /> : "when it is used"}
      </Table.Td>
      <Table.Td data-label="Came">
        {invite.uses > 0 ? (
          <Button size="compact-xs" variant="subtle" leftSection={<IconUsers size={14} />} onClick={ask}>
            {invite.uses}
            {invite.max_uses !== null && ` of ${invite.max_uses}`}
          </Button>
        ) : (
          <Text size="sm" c="dimmed">
            nobody
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right">
        {state === "active" && (
          <Tooltip label="Revoke: the code stops working">
            <ActionIcon aria-label={`Revoke ${invite.code}`} onClick={end}>
              <IconTrash size={17} />
            </ActionIcon>
          </Tooltip>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function Revoke({ invite, close }: { invite: Invite; close: () => void }) {
  const revoke = useAct({
    run: () => admin.revokeInvite(invite.id),
    done: () => "The code no longer works.",
    close,
    refresh: [invitesQuery.queryKey],
  });
  return (
    <Confirm title={`Revoke the code ${invite.code}?`} verb="Revoke" close={close} act={revoke}>
      <Text size="sm">Nobody can register with it any more. Whoever came by it stays.</Text>
    </Confirm>
  );
}

function CameBy({ invite, close }: { invite: Invite; close: () => void }) {
  const came = useQuery(cameByQuery(invite.id));
  const list = came.data?.registrations ?? [];
  return (
    <Modal opened onClose={close} title={`${count(invite.uses, "person", "people")} came by ${invite.code}`}>
      <Stack>
        {came.isPending && <Loading rows={3} />}
        {came.error && <Failed error={came.error} what="who came" retry={came.refetch} />}
        <div>
          {list.map((one) => (
            <div key={one.username} className={classes.line}>
              <Text size="sm" fw={550}>
                {one.username}
              </Text>
              <Text size="xs" c="dimmed">
                <When at={one.created_at} />
                {one.address && ` from ${one.address}`}
              </Text>
            </div>
          ))}
        </div>
        <Group justify="flex-end">
          <Button onClick={close}>Close</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
