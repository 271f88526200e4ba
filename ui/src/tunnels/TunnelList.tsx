import { Anchor, Button, Group, SegmentedControl, Stack, Text } from "@mantine/core";
import { IconRouteAltLeft, IconServer } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { meQuery } from "../api/queries";
import { count } from "../parts/numbers";
import { Page } from "../parts/Page";
import { Empty, Failed, Loading } from "../parts/states";
import { useCan } from "../session/session";
import { tunnelsQuery } from "./calls";
import { PublicTunnelList } from "./PublicList";
import { Troubles, TunnelTable } from "./TunnelTable";

const route = getRouteApi("/tunnels");
const ADMINS = ["admin", "superadmin"];

/** Tunnels: one's own, everybody's for administrators, and what the world sees. */
export default function TunnelList() {
  const { list = "mine" } = route.useSearch();
  const navigate = useNavigate({ from: "/tunnels" });
  const me = useQuery(meQuery).data;
  const mine = useCan()("tunnels.read");
  const administers = ADMINS.includes(me?.role ?? "");
  const lists = [
    ...(mine ? [{ value: "mine", label: "Mine" }] : []),
    ...(mine && administers ? [{ value: "all", label: "Everybody's" }] : []),
    { value: "public", label: "Public" },
  ];
  const shown = lists.some((one) => one.value === list) ? list : "public";
  return (
    <Page title="Tunnels">
      {lists.length > 1 && (
        <div>
          <SegmentedControl
            size="xs"
            aria-label="Which tunnels"
            data={lists}
            value={shown}
            onChange={(next) =>
              void navigate({ search: next === "mine" ? {} : { list: next as "all" | "public" }, replace: true })
            }
          />
        </div>
      )}
      {shown === "public" ? <PublicTunnelList /> : <Own all={shown === "all"} />}
    </Page>
  );
}

export function Own({ all }: { all: boolean }) {
  const query = useQuery(tunnelsQuery(all));
  const tunnels = query.data?.data ?? [];
  const online = tunnels.filter((one) => one.status === "online").length;
  return (
    <Stack gap="md">
      {query.isPending && <Loading rows={4} height={30} />}
      {query.error && !query.data && <Failed error={query.error} what="the tunnels" retry={query.refetch} />}
      {query.data && tunnels.length === 0 && (
        <Empty
          icon={<IconRouteAltLeft size={34} stroke={1.4} />}
          title={all ? "Nobody has a tunnel" : "You have no tunnels"}
          action={
            <Button variant="default" leftSection={<IconServer size={16} />} component={Link} to="/services">
              Choose a service to share
            </Button>
          }
        >
          A tunnel puts a service on the internet, at an address of its own and for as long as you like. On any machine,{" "}
          <code>homeport expose 3000</code> opens one for a port there.
        </Empty>
      )}
      <Troubles tunnels={tunnels} />
      {tunnels.length > 0 && (
        <>
          <TunnelTable tunnels={tunnels} owners={all} />
          <Group justify="space-between">
            <Text size="sm" c="dimmed" aria-live="polite" className="num">
              {count(tunnels.length, "tunnel")}, {online} online
            </Text>
            <Anchor component={Link} to="/services" size="sm">
              Share another service
            </Anchor>
          </Group>
        </>
      )}
    </Stack>
  );
}
