import { Button, Group, Paper, Text } from "@mantine/core";
import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Confirm } from "./Confirm";
import { Section } from "./Page";
import { tell } from "./tell";

interface DangerZoneProps {
  /** What kind of thing it is: "service". */
  what: string;
  name: string;
  /** What is lost, or when it can be deleted at all. */
  lost: string;
  remove: () => Promise<unknown>;
  /** To the list that it was in. */
  leave: () => Promise<void>;
  /** The thing's own page, which nobody asks for again. */
  forget?: QueryKey;
  list: QueryKey;
}

/** The last part of a thing's page: deleting it asks for its name. */
export function DangerZone({ what, name, lost, remove, leave, forget, list }: DangerZoneProps) {
  const client = useQueryClient();
  const [asked, setAsked] = useState(false);
  const act = useMutation({
    mutationFn: remove,
    onSuccess: async () => {
      tell(`${name} was deleted.`);
      await leave();
      if (forget) client.removeQueries({ queryKey: forget });
      await client.invalidateQueries({ queryKey: list });
    },
  });
  return (
    <Section title="Danger zone">
      <Paper p="md" style={{ borderColor: "var(--bad)" }}>
        <Group justify="space-between" gap="sm">
          <div>
            <Text size="sm" fw={600}>
              Delete this {what}
            </Text>
            <Text size="xs" c="dimmed">
              {lost}
            </Text>
          </div>
          <Button variant="outline" color="red" onClick={() => setAsked(true)}>
            Delete…
          </Button>
        </Group>
      </Paper>
      {asked && (
        <Confirm
          title={`Delete ${name}?`}
          verb={`Delete ${name}`}
          name={name}
          act={act}
          close={() => {
            act.reset();
            setAsked(false);
          }}
        >
          <Text size="sm">{lost}</Text>
        </Confirm>
      )}
    </Section>
  );
}
