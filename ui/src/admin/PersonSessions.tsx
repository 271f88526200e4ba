import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { deviceOf, methodWords } from "../account/device";
import { Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import classes from "./Admin.module.css";
import { admin, sessionsOfQuery } from "./calls";
import type { Person } from "./types";

/** Where somebody is signed in. */
export function PersonSessions({ person, close }: { person: Person; close: () => void }) {
  const client = useQueryClient();
  const sessions = useQuery(sessionsOfQuery(person.id));
  const end = useMutation({
    mutationFn: () => admin.endSessionsOf(person.id),
    onSuccess: () => {
      tell(`${person.username} is signed out everywhere.`);
      return client.invalidateQueries(sessionsOfQuery(person.id));
    },
    onError: (error) => tellProblem(error),
  });
  const list = sessions.data?.sessions ?? [];
  return (
    <Modal opened onClose={close} title={`Where ${person.username} is signed in`} size="lg">
      <Stack>
        {sessions.isPending && <Loading rows={3} />}
        {sessions.error && <Failed error={sessions.error} what="the sessions" retry={sessions.refetch} />}
        {sessions.data && list.length === 0 && (
          <Text size="sm" c="dimmed">
            Nowhere.
          </Text>
        )}
        <div>
          {list.map((one) => (
            <div key={one.id} className={classes.line}>
              <Text size="sm" fw={550} title={one.user_agent ?? undefined}>
                {one.name ?? deviceOf(one.user_agent)}
              </Text>
              <Text size="xs" c="dimmed">
                {one.address ?? "unknown address"} · {methodWords(one.method)} ·{" "}
                <When at={one.created_at} prefix="since " />
              </Text>
            </div>
          ))}
        </div>
        <Group justify="flex-end">
          {list.length > 0 && (
            <Button variant="default" color="red" loading={end.isPending} onClick={() => end.mutate()}>
              Sign out everywhere
            </Button>
          )}
          <Button onClick={close}>Close</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
