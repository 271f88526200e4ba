import { Button, Paper, Stack, Text } from "@mantine/core";
import { IconShare3 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useState } from "react";
import { Section } from "../parts/Page";
import { useCan } from "../session/session";
import { sharesQuery } from "./calls";
import { Troubles, TunnelTable } from "./TunnelTable";

const ShareDialog = lazy(() => import("./ShareDialog").then((part) => ({ default: part.ShareDialog })));

/** The button that shares a service, with its dialog; a `device` of the network is shared by administrators only. */
export function ShareButton({ service, web, device }: { service: string; web?: boolean; device?: boolean }) {
  const may = useCan();
  const can = may("tunnels.write") && (!device || may("relay.write"));
  const [asked, setAsked] = useState(false);
  const navigate = useNavigate();
  const wanted = "share" in useSearch({ strict: false });
  useEffect(() => {
    if (!wanted) return;
    setAsked(true);
    void navigate({ to: ".", search: {} as never, replace: true });
  }, [wanted, navigate]);
  if (!can) return null;
  return (
    <>
      <Button variant="default" leftSection={<IconShare3 size={16} />} onClick={() => setAsked(true)}>
        Share
      </Button>
      {asked && (
        <Suspense fallback={null}>
          <ShareDialog service={service} web={web} close={() => setAsked(false)} />
        </Suspense>
      )}
    </>
  );
}

/** The tunnels of one service; nothing where it has none. */
export function Shares({ service }: { service: string }) {
  const can = useCan()("tunnels.read");
  const query = useQuery({ ...sharesQuery(service), enabled: can });
  const list = query.data?.data ?? [];
  if (query.error && !query.data)
    return (
      <Section title="Tunnels">
        <Paper p="sm">
          <Text size="sm" c="dimmed">
            {query.error.message}
          </Text>
        </Paper>
      </Section>
    );
  if (list.length === 0) return null;
  return (
    <Section title="Tunnels">
      <Stack gap="sm">
        <Troubles tunnels={list} />
        <TunnelTable tunnels={list} ofOne owners />
      </Stack>
    </Section>
  );
}
