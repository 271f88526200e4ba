import { Button, Group, Paper, Stack, Table, Text } from "@mantine/core";
import { IconPlus, IconShieldCheck } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Section } from "../parts/Page";
import rows from "../parts/Rows.module.css";
import { StatusWord } from "../parts/StatusWord";
import { Empty } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import { BanAddress } from "./RelayDialogs";
import { type Decided, RELAY_KEY, type RelayStatus, relay } from "./relayCalls";
import { rate } from "./relayWords";

/** Who and what is kept out, and what else was decided about identities, whether they have a tunnel or not. */
export function RelayBans({ status, can }: { status: RelayStatus; can: boolean }) {
  const [asked, setAsked] = useState(false);
  const { identities, identities_total: total, banned_networks: networks } = status;
  const add = can && (
    <Button size="xs" variant="default" leftSection={<IconPlus size={14} />} onClick={() => setAsked(true)}>
      Ban an address
    </Button>
  );
  return (
    <Stack gap="lg">
      <Section title="Addresses" aside={networks.length > 0 && add}>
        {networks.length === 0 ? (
          <Empty icon={<IconShieldCheck size={30} stroke={1.4} />} title="No address is banned" action={add} />
        ) : (
          <Paper>
            <Table className={rows.rows}>
              <Table.Tbody>
                {networks.map((network) => (
                  <Table.Tr key={network} data-network={network}>
                    <Table.Td className="num">{network}</Table.Td>
                    <Table.Td ta="right">
                      {can && (
                        <Undo
                          label={`Let ${network} come back`}
                          word="Lift"
                          run={() => relay.unbanNetwork(network)}
                          done={`${network} may come back.`}
                        />
                      )}
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </Paper>
        )}
      </Section>
      <Section title="Identities">
        {identities.length === 0 ? (
          <Empty icon={<IconShieldCheck size={30} stroke={1.4} />} title="Nothing was decided about anybody">
            Identities that were approved, denied, banned or limited are listed here, with or without a tunnel.
          </Empty>
        ) : (
          <Paper>
            <Table className={rows.rows}>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Name</Table.Th>
                  <Table.Th>Decided</Table.Th>
                  <Table.Th>Limit</Table.Th>
                  <Table.Th>When</Table.Th>
                  <Table.Th aria-label="Actions" />
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {identities.map((one) => (
                  <Row key={one.identity_key} one={one} can={can} />
                ))}
              </Table.Tbody>
            </Table>
          </Paper>
        )}
        {total > identities.length && (
          <Text size="sm" c="dimmed" mt="xs">
            The newest {identities.length} of {total.toLocaleString("en")}.
          </Text>
        )}
      </Section>
      {asked && <BanAddress close={() => setAsked(false)} />}
    </Stack>
  );
}

function Row({ one, can }: { one: Decided; can: boolean }) {
  const [word, tone] = one.banned
    ? ["Banned", "bad"]
    : one.denied
      ? ["Denied", "bad"]
      : one.approved
        ? ["Approved", "good"]
        : ["Limited", "warn"];
  const back = one.banned ? "ban" : one.denied ? "deny" : one.approved ? "approve" : null;
  return (
    <Table.Tr data-identity={one.name}>
      <Table.Td data-wide>
        <Text size="sm" fw={600}>
          {one.name}
        </Text>
        <Text size="xs" c="dimmed" className="mono" style={{ overflowWrap: "anywhere" }}>
          {one.address}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusWord status={word} tone={tone} />
      </Table.Td>
      <Table.Td className="num" c={one.bps ? undefined : "dimmed"} data-label="Limit">
        {rate(one.bps)}
      </Table.Td>
      <Table.Td c="dimmed" data-label="When">
        {one.changed_at && <When at={one.changed_at} />}
      </Table.Td>
      <Table.Td ta="right">
        <Group gap={4} justify="flex-end">
          {can && one.bps > 0 && (
            <Undo
              label={`No limit for ${one.name}`}
              word="No limit"
              run={() => relay.limit(one, null)}
              done={`${one.name} has no limit.`}
            />
          )}
          {can && back && (
            <Undo
              label={`${back === "ban" ? "Lift the ban of" : "Take back the decision about"} ${one.name}`}
              word={back === "ban" ? "Lift" : "Take back"}
              run={() => relay.takeBack(one, back)}
              done={back === "ban" ? `${one.name} may register again.` : "It was taken back."}
            />
          )}
        </Group>
      </Table.Td>
    </Table.Tr>
  );
}

function Undo(props: { label: string; word: string; run: () => Promise<unknown>; done: string }) {
  const { label, word, run, done } = props;
  const client = useQueryClient();
  const act = useMutation({
    mutationFn: run,
    onSuccess: () => {
      tell(done);
      return client.invalidateQueries({ queryKey: RELAY_KEY });
    },
    onError: (error) => tellProblem(error),
  });
  return (
    <Button size="compact-sm" variant="default" aria-label={label} loading={act.isPending} onClick={() => act.mutate()}>
      {word}
    </Button>
  );
}
