import { Button, Center, Loader, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { ApiError } from "../api/client";
import { tunnels } from "./calls";

const route = getRouteApi("/share/$id");

/** On the way to a tunnel that is for people who are signed in: whoever sees this page is, and is sent on. */
export default function Enter() {
  const { id } = route.useParams();
  const { next = "/", state = "" } = route.useSearch();
  const way = useQuery({
    queryKey: ["enter", id, next, state],
    queryFn: () => tunnels.enter(id, { next, state }),
    enabled: state !== "",
    retry: false,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const to = way.data?.location;
  useEffect(() => {
    if (to) location.replace(to);
  }, [to]);
  if (way.error || state === "") {
    const unknown = state === "" || (way.error instanceof ApiError && way.error.status === 404);
    return (
      <Center mih="60vh">
        <Stack align="center" ta="center" maw={420} gap="xs">
          <Title order={1}>{unknown ? "There is nothing to enter here" : "You could not be let in"}</Title>
          <Text c="dimmed">
            {unknown
              ? "The tunnel has ended, or it leads to a service that you may not see. Ask whoever gave you its address."
              : way.error?.message}
          </Text>
          <Group unknown={unknown} again={() => void way.refetch()} />
        </Stack>
      </Center>
    );
  }
  return (
    <Center mih="60vh">
      <Stack align="center" gap="xs" role="status">
        <Loader type="dots" />
        <Text c="dimmed">You are signed in: opening the page…</Text>
      </Stack>
    </Center>
  );
}

function Group({ unknown, again }: { unknown: boolean; again: () => void }) {
  return unknown ? (
    <Button variant="default" component={Link} to="/">
      To the portal
    </Button>
  ) : (
    <Button variant="default" onClick={again}>
      Try again
    </Button>
  );
}
