import { Badge, Button, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { IconLogin2, IconPhotoOff, IconRouteAltLeft, IconSearchOff } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Mark } from "../frame/Mark";
import { count } from "../parts/numbers";
import { SearchField } from "../parts/SearchField";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import { type PublicTunnel, publicTunnelsQuery } from "./calls";
import classes from "./Tunnels.module.css";
import { matching, tunnelsInPage } from "./words";

/** What came with the page itself, so that there is something to see before anything is asked. */
const inPage = () => tunnelsInPage(document.getElementById("__SSR_DATA__")?.textContent, location.port);

/** The page for somebody who is not signed in. */
export default function PublicPage() {
  useDocumentTitle("Tunnels · Homeport");
  return (
    <div className={classes.public}>
      <header className={classes.top}>
        <a href="/tunnels" className={classes.brand}>
          <Mark size={26} />
          <span>Homeport</span>
        </a>
        <Button component="a" href="/" variant="default" leftSection={<IconLogin2 size={16} />}>
          Sign in
        </Button>
      </header>
      <Stack gap="md" component="main">
        <Title order={1}>Public tunnels</Title>
        <PublicTunnelList />
      </Stack>
    </div>
  );
}

/** Every tunnel that does not hide, with what it says of itself. */
export function PublicTunnelList() {
  const [carried] = useState(inPage);
  const query = useQuery({
    ...publicTunnelsQuery,
    ...(carried && { placeholderData: { tunnels: carried, relay: { url: location.origin, version: "" } } }),
  });
  const [search, setSearch] = useState("");
  const all = query.data?.tunnels ?? [];
  const list = matching(all, search).toSorted((a, b) => Number(b.online) - Number(a.online));
  return (
    <>
      {all.length > 0 && (
        <Group gap="sm">
          <SearchField
            label="Search tunnels"
            placeholder="Name, owner or tag"
            className={classes.search}
            value={search}
            change={setSearch}
          />
          <Text size="sm" c="dimmed" ml="auto" className="num" aria-live="polite">
            {count(list.length, "tunnel")}
          </Text>
        </Group>
      )}
      {query.isPending && <Loading rows={4} height={60} />}
      {query.error && !query.data && <Failed error={query.error} what="the tunnels" retry={query.refetch} />}
      {query.data && all.length === 0 && (
        <Empty icon={<IconRouteAltLeft size={34} stroke={1.4} />} title="No public tunnels at the moment">
          Tunnels that want to be listed stand here while they are open.
        </Empty>
      )}
      {all.length > 0 && list.length === 0 && (
        <Empty icon={<IconSearchOff size={32} stroke={1.4} />} title="No tunnel matches" />
      )}
      <div className={classes.cards}>
        {list.map((one) => (
          <Card key={one.hostname} tunnel={one} />
        ))}
      </div>
    </>
  );
}

function Card({ tunnel }: { tunnel: PublicTunnel }) {
  return (
    <Paper
      component="a"
      href={tunnel.url}
      target="_blank"
      rel="noreferrer"
      className={classes.card}
      data-tunnel={tunnel.name}
    >
      <Picture tunnel={tunnel} />
      <div className={classes.body}>
        <Group justify="space-between" gap="xs" wrap="nowrap">
          <Text fw={600} className="cut">
            {tunnel.name}
          </Text>
          <StatusWord status={tunnel.online ? "online" : "offline"} tone={tunnel.online ? "good" : "idle"} />
        </Group>
        <Text size="xs" c="dimmed" className="cut">
          {tunnel.hostname}
        </Text>
        {tunnel.description && (
          <Text size="sm" lineClamp={3}>
            {tunnel.description}
          </Text>
        )}
        {tunnel.tags.length > 0 && (
          <Group gap={4}>
            {tunnel.tags.slice(0, 6).map((tag) => (
              <Badge key={tag} size="sm" variant="light" color="gray" tt="none">
                {tag}
              </Badge>
            ))}
          </Group>
        )}
        <Text size="xs" c="dimmed" mt="auto">
          {tunnel.owner && `by ${tunnel.owner}`}
          {tunnel.owner && tunnel.first_seen_at && ", "}
          {tunnel.first_seen_at && <When at={tunnel.first_seen_at} prefix={tunnel.owner ? "since " : "Since "} />}
        </Text>
      </div>
    </Paper>
  );
}

/** A picture that this portal itself serves; one from elsewhere would tell that site who looks at this list. */
function Picture({ tunnel }: { tunnel: PublicTunnel }) {
  const [broken, setBroken] = useState(false);
  const own = tunnel.thumbnail.startsWith("/") && !tunnel.thumbnail.startsWith("//");
  return (
    <div className={classes.picture}>
      {own && !broken ? (
        <img src={tunnel.thumbnail} alt="" loading="lazy" onError={() => setBroken(true)} />
      ) : (
        <IconPhotoOff size={28} stroke={1.2} aria-hidden />
      )}
    </div>
  );
}
