import { Button, Code, Group, Paper, Table, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconKey, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { count } from "../parts/numbers";
import { Section } from "../parts/Page";
import rows from "../parts/Rows.module.css";
import { Empty, Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import { useCan } from "../session/session";
import { CreateKey } from "./CreateKey";
import { account, ownKeysQuery } from "./calls";
import { reachWords } from "./scopes";
import type { OwnKey } from "./types";

/** Keys that let programs act as me. */
export function ApiKeys() {
  const keys = useQuery(ownKeysQuery);
  const can = useCan()("account.keys");
  const [creating, { open, close }] = useDisclosure(false);
  const [ending, setEnding] = useState<{ key: OwnKey; how: "revoke" | "delete" } | null>(null);
  const [all, setAll] = useState(false);
  const list = keys.data?.api_keys ?? [];
  const live = list.filter((key) => !key.revoked);
  const revoked = list.length - live.length;
  const shown = all ? list : live;
  const add = can && (
    <Button
      size={list.length ? "xs" : "sm"}
      variant={list.length ? "default" : "filled"}
      leftSection={<IconPlus size={15} />}
      onClick={open}
    >
      Create a key
    </Button>
  );
  return (
    <Section
      title="API keys"
      aside={list.length > 0 && add}
      hint={
        <Text size="xs" c="dimmed">
          Sent as <Code>Authorization: Bearer …</Code>
        </Text>
      }
    >
      {keys.isPending && <Loading rows={4} />}
      {keys.error && <Failed error={keys.error} what="your keys" retry={keys.refetch} />}
      {keys.data && list.length === 0 && (
        <Empty icon={<IconKey size={32} stroke={1.4} />} title="No API keys yet" action={add}>
          A key lets a script or the homeport command act as you. Create one for each, so that you can revoke it alone.
        </Empty>
      )}
      {list.length > 0 && (
        <Paper>
          <Table className={rows.rows}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>May</Table.Th>
                <Table.Th>Last used</Table.Th>
                <Table.Th>Expires</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((key) => (
                <Row key={key.id} of={key} can={can} end={(how) => setEnding({ key, how })} />
              ))}
              {shown.length === 0 && (
                <Table.Tr>
                  <Table.Td colSpan={5} c="dimmed">
                    No key works at this moment.
                  </Table.Td>
                </Table.Tr>
              )}
            </Table.Tbody>
          </Table>
          {revoked > 0 && (
            <Button m={6} size="compact-xs" variant="subtle" color="gray" onClick={() => setAll(!all)}>
              {all ? "Hide what is revoked" : `Show ${count(revoked, "revoked key")}`}
            </Button>
          )}
        </Paper>
      )}
      {creating && <CreateKey close={close} />}
      {ending && <EndKey of={ending.key} how={ending.how} close={() => setEnding(null)} />}
    </Section>
  );
}

function Row({ of: key, can, end }: { of: OwnKey; can: boolean; end: (how: "revoke" | "delete") => void }) {
  const expired = !!key.expires_at && Date.parse(key.expires_at) <= Date.now();
  return (
    <Table.Tr c={key.revoked || expired ? "dimmed" : undefined}>
      <Table.Td>
        <Text size="sm" fw={550}>
          {key.name}
        </Text>
        <Text size="xs" c="dimmed" className="mono">
          {key.key_prefix}…
        </Text>
        {key.style === "machine" && (
          <Text size="xs" c="dimmed">
            The homeport command on the portal's machine uses it, and makes itself another when it is revoked.
          </Text>
        )}
      </Table.Td>
      <Table.Td data-label="May" data-wide>
        {reachWords(key.scopes)}
        {!!key.rate_limit_rpm && (
          <Text size="xs" c="dimmed">
            {count(key.rate_limit_rpm, "request")} a minute
          </Text>
        )}
      </Table.Td>
      <Table.Td data-label="Last used">{key.last_used_at ? <When at={key.last_used_at} /> : "Never"}</Table.Td>
      <Table.Td data-label="Expires">
        {key.revoked ? (
          "Revoked"
        ) : key.expires_at ? (
          <When at={key.expires_at} prefix={expired ? "Expired " : ""} />
        ) : (
          "Never"
        )}
      </Table.Td>
      <Table.Td ta="right" data-wide>
        {can && (
          <Group gap={4} justify="flex-end" wrap="nowrap">
            {!key.revoked && (
              <Button size="compact-xs" variant="subtle" color="red" onClick={() => end("revoke")}>
                Revoke
              </Button>
            )}
            {(key.revoked || expired) && (
              <Button size="compact-xs" variant="subtle" color="gray" onClick={() => end("delete")}>
                Delete
              </Button>
            )}
          </Group>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

function EndKey({ of: key, how, close }: { of: OwnKey; how: "revoke" | "delete"; close: () => void }) {
  const revoke = how === "revoke";
  const end = useAct({
    run: () => (revoke ? account.revokeKey(key.id) : account.deleteKey(key.id)),
    done: () => (revoke ? `The key ${key.name} no longer works.` : `The key ${key.name} is gone.`),
    close,
    refresh: [ownKeysQuery.queryKey],
  });
  const verb = revoke ? "Revoke" : "Delete";
  return (
    <Confirm title={`${verb} ${key.name}?`} verb={verb} act={end} close={close}>
      <Text size="sm">
        {revoke
          ? "Whatever uses this key is refused from now on. This cannot be undone. The key stays in the list as revoked."
          : "The key leaves the list. What it did stays in the audit log."}
      </Text>
    </Confirm>
  );
}
