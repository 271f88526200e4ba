import { Button, Group, Paper, Table, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { count } from "../parts/numbers";
import { Section } from "../parts/Page";
import { StatusWord } from "../parts/StatusWord";
import { Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import { admin, keysQuery } from "./calls";

/** The keys that seal secrets at rest: which one seals, how many values need each, and a new one. */
export function SealKeys({ can }: { can: boolean }) {
  const keys = useQuery(keysQuery);
  const [asking, setAsking] = useState(false);
  const rotate = useAct({
    run: admin.rotateKeys,
    done: (rotated) => `A new key seals now; ${count(rotated.rewrapped, "value")} moved to it.`,
    close: () => setAsking(false),
    refresh: [keysQuery.queryKey],
  });
  return (
    <Section
      title="Keys that seal secrets"
      aside={
        can && (
          <Button size="xs" variant="default" onClick={() => setAsking(true)}>
            Use a new key…
          </Button>
        )
      }
    >
      <Paper>
        {keys.isPending && <Loading rows={2} />}
        {keys.error && !keys.data && <Failed error={keys.error} what="the keys" retry={keys.refetch} />}
        {keys.data && (
          <Table>
            <Table.Tbody>
              {keys.data.keys.map((key) => (
                <Table.Tr key={key.id} data-key={key.id}>
                  <Table.Td className="mono">{key.id}</Table.Td>
                  <Table.Td>
                    <Group gap="sm">
                      {key.current ? (
                        <StatusWord status="healthy" word="Seals" />
                      ) : (
                        <StatusWord status="retired" word="Only opens" />
                      )}
                      {key.made_at && (
                        <Text size="xs" c="dimmed">
                          <When at={key.made_at} prefix="made " />
                        </Text>
                      )}
                    </Group>
                  </Table.Td>
                  <Table.Td ta="right" className="num">
                    {count(key.values, "value")}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Paper>
      {asking && (
        <Confirm title="Seal with a new key?" verb="Use a new key" close={() => setAsking(false)} act={rotate}>
          <Text size="sm">
            Every sealed value moves to it while the portal runs. The old key stays, for backups that need it. Back up
            the portal afterwards: an older backup does not know the new key.
          </Text>
        </Confirm>
      )}
    </Section>
  );
}
