import { Button, Center, Loader, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense } from "react";
import { ApiError } from "../api/client";
import { meQuery } from "../api/queries";
import { LiveProvider } from "../live/LiveProvider";
import { listsTunnels } from "./tunnels";

const SignIn = lazy(() => import("./SignIn"));
const Register = lazy(() => import("./Register"));
const PublicTunnels = lazy(() => import("../tunnels/PublicList"));

/** What somebody sees who is not signed in, and asked for this path. */
function outside(path: string, ended: boolean) {
  if (path === "/register") return <Register />;
  if (path === "/tunnels" && !ended && listsTunnels()) return <PublicTunnels />;
  return <SignIn ended={ended} />;
}

/** Shows the portal to who is signed in, and the sign-in, in the same place, to who is not. */
export function Session({ children }: { children: ReactNode }) {
  const me = useQuery({
    ...meQuery,
    refetchInterval: (query) =>
      query.state.error instanceof ApiError && query.state.error.status !== 401 ? 3000 : false,
  });
  const waiting = (
    <Center h="100dvh">
      <Loader type="dots" aria-label="Loading" />
    </Center>
  );
  const problem = me.error as ApiError | null;
  // A session that has just ended leaves what was known of its person behind, and an error.
  if (problem?.status === 401)
    return <Suspense fallback={waiting}>{outside(location.pathname, me.data !== undefined)}</Suspense>;
  if (me.data) return <LiveProvider>{children}</LiveProvider>;
  if (me.isPending) return waiting;
  const settingUp = problem?.status === 503;
  return (
    <Center h="100dvh" p="md">
      <Stack align="center" ta="center" maw={420} gap="xs">
        <Title order={1}>{settingUp ? "Homeport is being set up" : "The portal does not answer"}</Title>
        <Text c="dimmed">
          {settingUp
            ? "This page opens by itself when the set-up is complete. Its steps are in the terminal that runs homeport up."
            : problem?.message}
        </Text>
        <Button variant="default" onClick={() => me.refetch()}>
          Try again
        </Button>
      </Stack>
    </Center>
  );
}
