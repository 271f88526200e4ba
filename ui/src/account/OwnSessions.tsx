import { Badge, Button, Group, Text } from "@mantine/core";
import { IconDeviceDesktop, IconDeviceMobile } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Section } from "../parts/Page";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import classes from "./Account.module.css";
import { account, ownSessionsQuery } from "./calls";
import { deviceOf, isHandheld, methodWords } from "./device";
import { OwnList } from "./OwnList";
import type { OwnSession } from "./types";

/** Where I am signed in. */
export function OwnSessions() {
  const client = useQueryClient();
  const sessions = useQuery(ownSessionsQuery);
  const refresh = () => client.invalidateQueries(ownSessionsQuery);
  const end = useMutation({
    mutationFn: (one: OwnSession) => account.endSession(one.id),
    onSuccess: (_, one) => {
      tell(`Signed out: ${one.name ?? deviceOf(one.user_agent)}.`);
      return refresh();
    },
    onError: (error) => tellProblem(error),
  });
  const endOthers = useMutation({
    mutationFn: account.endOtherSessions,
    onSuccess: () => {
      tell("Every other session has ended.");
      return refresh();
    },
    onError: (error) => tellProblem(error),
  });
  const list = [...(sessions.data?.sessions ?? [])].sort((one, other) => Number(other.current) - Number(one.current));
  return (
    <Section
      title="Where you are signed in"
      aside={
        list.some((one) => !one.current) && (
          <Button
            size="xs"
            variant="default"
            color="red"
            loading={endOthers.isPending}
            onClick={() => endOthers.mutate()}
          >
            Sign out everywhere else
          </Button>
        )
      }
    >
      <OwnList
        query={sessions}
        what="your sessions"
        list={list}
        row={(one) => (
          <div key={one.id} className={classes.row} data-session={one.id} data-current={one.current || undefined}>
            {isHandheld(one.user_agent) ? (
              <IconDeviceMobile size={20} stroke={1.6} aria-hidden />
            ) : (
              <IconDeviceDesktop size={20} stroke={1.6} aria-hidden />
            )}
            <div style={{ minWidth: 0 }}>
              <Group gap={8}>
                <Text size="sm" fw={550} title={one.user_agent ?? undefined}>
                  {one.name ?? deviceOf(one.user_agent)}
                </Text>
                {one.current && (
                  <Badge size="sm" variant="light" tt="none">
                    This one
                  </Badge>
                )}
              </Group>
              <Text size="xs" c="dimmed">
                {one.address ?? "Unknown address"} · {methodWords(one.method)} ·{" "}
                <When at={one.created_at} prefix="since " />
                {one.last_used_at && (
                  <>
                    {" · "}
                    <When at={one.last_used_at} prefix="used " />
                  </>
                )}
              </Text>
            </div>
            {!one.current && (
              <Button
                size="compact-xs"
                variant="subtle"
                color="red"
                aria-label={`Sign out ${one.name ?? deviceOf(one.user_agent)}`}
                loading={end.isPending && end.variables.id === one.id}
                onClick={() => end.mutate(one)}
              >
                Sign out
              </Button>
            )}
          </div>
        )}
      />
    </Section>
  );
}
