import { Chip, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { IconTimeline } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { eventsQuery } from "../api/queries";
import { byDay } from "../events/days";
import { EventLines } from "../events/EventLines";
import { count } from "../parts/numbers";
import { Empty, Failed, Loading } from "../parts/states";

const route = getRouteApi("/services/$ref");

export default function Events() {
  const { ref } = route.useParams();
  const events = useQuery(eventsQuery(ref));
  const [only, setOnly] = useState<string[]>([]);
  if (events.isPending) return <Loading rows={8} />;
  if (events.error) return <Failed error={events.error} what="the events" retry={events.refetch} />;
  const { events: all, total } = events.data;
  if (all.length === 0)
    return (
      <Empty icon={<IconTimeline size={32} stroke={1.4} />} title="Nothing has happened yet">
        Deploys, starts, stops and changes of health are written down here.
      </Empty>
    );
  const types = [...new Set(all.map((event) => event.type))].toSorted();
  const shown = only.length ? all.filter((event) => only.includes(event.type)) : all;
  return (
    <Stack gap="md" maw={860}>
      {types.length > 1 && (
        <Chip.Group multiple value={only} onChange={setOnly}>
          <Group gap={6} role="group" aria-label="Show only">
            {types.map((type) => (
              <Chip key={type} value={type} size="xs" variant="outline">
                {type.charAt(0).toUpperCase() + type.slice(1)}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
      )}
      {byDay(shown).map(([day, list]) => (
        <section key={day} aria-label={day}>
          <Title order={2} fz="xs" c="dimmed" fw={600} mb={6}>
            {day}
          </Title>
          <Paper p="md" py="sm">
            <EventLines events={list} />
          </Paper>
        </section>
      ))}
      {total > all.length && (
        <Text size="xs" c="dimmed">
          The last {all.length} of {count(total, "event")}.
        </Text>
      )}
    </Stack>
  );
}
