import { useMantineColorScheme } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { Spotlight } from "@mantine/spotlight";
import "@mantine/spotlight/styles.css";
import {
  IconApi,
  IconCpu,
  IconHistory,
  IconHome,
  IconKey,
  IconLogout,
  IconMoon,
  IconPlayerPlay,
  IconPlayerStop,
  IconPlugConnected,
  IconReceipt,
  IconRefresh,
  IconRocket,
  IconRouteAltLeft,
  IconSearch,
  IconServer,
  IconSettings,
  IconShare3,
  IconShieldLock,
  IconStack2,
  IconSun,
  IconTerminal2,
  IconTimeline,
  IconUserCircle,
  IconUsers,
  IconWand,
} from "@tabler/icons-react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type ComponentType, useEffect, useState } from "react";
import { placesFor } from "../admin/places";
import { servicesQuery, templatesQuery } from "../api/queries";
import type { ServiceRow } from "../api/types";
import { StatusWord, serviceStatus } from "../parts/StatusWord";
import { useServiceActions } from "../services/actions";
import { useCan, useSignOut } from "../session/session";
import { fits, readCommand, type ServiceVerb, VERBS } from "./commands";

type Icon = ComponentType<{ size?: number; stroke?: number }>;
interface Entry {
  id: string;
  label: string;
  icon: Icon;
  run: () => void;
  service?: ServiceRow;
}

const ICONS: Record<ServiceVerb, Icon> = {
  open: IconStack2,
  logs: IconTerminal2,
  restart: IconRefresh,
  start: IconPlayerPlay,
  stop: IconPlayerStop,
  redeploy: IconRocket,
  share: IconShare3,
  releases: IconHistory,
  events: IconTimeline,
  settings: IconSettings,
};
const WORDS: Record<ServiceVerb, (name: string) => string> = {
  open: (name) => name,
  logs: (name) => `Logs of ${name}`,
  restart: (name) => `Restart ${name}`,
  start: (name) => `Start ${name}`,
  stop: (name) => `Stop ${name}`,
  redeploy: (name) => `Redeploy ${name}`,
  share: (name) => `Share ${name}`,
  releases: (name) => `Releases of ${name}`,
  events: (name) => `Events of ${name}`,
  settings: (name) => `Settings of ${name}`,
};

/** The service's page opens with the dialog that shares it. */
const SHARE = { share: true } as never;

/** Ctrl+K: go to anything, do anything. */
export default function Palette() {
  const [text, setText] = useState("");
  const [settled] = useDebouncedValue(text, 120);
  const command = readCommand(settled);
  const can = useCan();
  const navigate = useNavigate();
  const signOut = useSignOut();
  const { act, redeploy } = useServiceActions();
  const { setColorScheme } = useMantineColorScheme();
  const services = useQuery({
    ...servicesQuery({
      search: command.verb === "deploy" ? "" : command.rest,
      per_page: 8,
      sort: "name",
      order: "asc",
    }),
    placeholderData: keepPreviousData,
  });
  const templates = useQuery({ ...templatesQuery, enabled: command.verb === "deploy" });

  const runs = (verb: ServiceVerb, service: ServiceRow) => () => {
    const ref = service.name;
    if (verb === "start" || verb === "stop" || verb === "restart") act.mutate({ ref, action: verb });
    else if (verb === "redeploy") redeploy.mutate({ ref });
    else if (verb === "share") void navigate({ to: "/services/$ref", params: { ref }, search: SHARE });
    else if (verb === "open") void navigate({ to: "/services/$ref", params: { ref } });
    else void navigate({ to: `/services/$ref/${verb}`, params: { ref } });
  };
  const allowed = (verb: ServiceVerb) => {
    if (verb === "redeploy") return can("services.deploy");
    if (verb === "share") return can("tunnels.write");
    return !["start", "stop", "restart"].includes(verb) || can("services.write");
  };
  const entry = (verb: ServiceVerb, service: ServiceRow): Entry => ({
    id: `${verb}-${service.id}`,
    label: WORDS[verb](service.name),
    icon: ICONS[verb],
    run: runs(verb, service),
    service,
  });

  const found = services.data?.data ?? [];
  const serviceEntries: Entry[] = [];
  if (command.verb && command.verb !== "deploy") {
    const { verb } = command;
    if (allowed(verb)) serviceEntries.push(...found.filter((s) => fits(verb, s.status)).map((s) => entry(verb, s)));
  } else if (command.verb === null) {
    serviceEntries.push(...found.map((service) => entry("open", service)));
    const only = found.length === 1 ? found[0] : found.find((s) => s.name === command.rest);
    if (only && command.rest)
      serviceEntries.push(
        ...VERBS.filter((v) => v !== "open" && allowed(v) && fits(v, only.status)).map((v) => entry(v, only)),
      );
  }

  const go = (to: string) => () => void navigate({ to });
  const deployBy = (way: "compose" | "ai") => () => void navigate({ to: "/deploy", search: { way } });
  const list = (kind: "unit" | "endpoint") => () => void navigate({ to: "/services", search: { kind } });
  const pages: Entry[] = [
    { id: "home", label: "Home", icon: IconHome, run: go("/") },
    { id: "services", label: "Services", icon: IconServer, run: go("/services") },
    ...(can("tunnels.read") ? [{ id: "tunnels", label: "Tunnels", icon: IconRouteAltLeft, run: go("/tunnels") }] : []),
    ...(can("services.deploy")
      ? [{ id: "deploy", label: "Deploy a service", icon: IconRocket, run: go("/deploy") }]
      : []),
    { id: "units", label: "Host units", icon: IconCpu, run: list("unit") },
    { id: "endpoints", label: "Endpoints", icon: IconPlugConnected, run: list("endpoint") },
    ...(can("services.deploy")
      ? [
          { id: "compose", label: "Deploy a compose document", icon: IconStack2, run: deployBy("compose") },
          { id: "ai", label: "Let AI read a repository and deploy it", icon: IconWand, run: deployBy("ai") },
        ]
      : []),
    ...placesFor(can).map(({ to, label, icon }) => ({ id: to, label: `Admin: ${label}`, icon, run: go(to) })),
    ...(can("customers.read")
      ? [
          { id: "customers", label: "Customers", icon: IconUsers, run: go("/customers") },
          { id: "plans", label: "Plans", icon: IconReceipt, run: go("/customers/plans") },
        ]
      : []),
    { id: "profile", label: "Your profile", icon: IconUserCircle, run: go("/account") },
    { id: "security", label: "Password, second factor, sessions", icon: IconShieldLock, run: go("/account/security") },
    { id: "keys", label: "API keys, SSH keys, certificates", icon: IconKey, run: go("/account/keys") },
    { id: "docs", label: "API reference", icon: IconApi, run: () => location.assign("/docs") },
    { id: "dark", label: "Use the dark theme", icon: IconMoon, run: () => setColorScheme("dark") },
    { id: "light", label: "Use the light theme", icon: IconSun, run: () => setColorScheme("light") },
    { id: "out", label: "Sign out", icon: IconLogout, run: () => void signOut() },
  ].filter((page) => page.label.toLowerCase().includes(settled.trim().toLowerCase()));
  const templateEntries: Entry[] =
    command.verb === "deploy" && can("services.deploy")
      ? (templates.data?.data ?? [])
          .filter((t) => `${t.id} ${t.name}`.toLowerCase().includes(command.rest))
          .map((t) => ({
            id: `template-${t.id}`,
            label: `Deploy ${t.name}`,
            icon: IconRocket,
            run: () => void navigate({ to: "/deploy", search: { way: "template", template: t.id } }),
          }))
      : [];

  const groups: [string, Entry[]][] = [
    ["Templates", templateEntries],
    ["Services", serviceEntries],
    ["Pages and actions", pages],
  ];
  const total = groups.reduce((sum, [, entries]) => sum + entries.length, 0);
  const first = groups.find(([, entries]) => entries.length > 0)?.[1][0]?.id;
  // Spotlight chooses the first entry when a key is typed; this chooses it also when the answer came after the key.
  useEffect(() => {
    const timer = setTimeout(() => {
      const list = document.querySelector(".mantine-Spotlight-actionsList");
      if (first && settled && !list?.querySelector("[data-selected]"))
        list?.querySelector("[data-action]")?.setAttribute("data-selected", "true");
    });
    return () => clearTimeout(timer);
  }, [first, settled]);
  return (
    <Spotlight.Root
      query={text}
      onQueryChange={setText}
      shortcut={null}
      centered={false}
      yOffset="12vh"
      overlayProps={{ blur: 0, backgroundOpacity: 0.35 }}
      transitionProps={{ duration: 0 }}
      scrollable
      maxHeight={420}
      radius="md"
    >
      <Spotlight.Search
        placeholder='Go to or do: "restart blog", "logs hello", "deploy"'
        aria-label="Go to or do"
        leftSection={<IconSearch size={18} stroke={1.6} />}
      />
      <Spotlight.ActionsList>
        {groups.map(
          ([label, entries]) =>
            entries.length > 0 && (
              <Spotlight.ActionsGroup label={label} key={label}>
                {entries.map(({ id, label: text, icon: Icon, run, service }) => (
                  <Spotlight.Action
                    key={id}
                    label={text}
                    onClick={run}
                    leftSection={<Icon size={18} stroke={1.6} />}
                    rightSection={service && <StatusWord status={serviceStatus(service)} />}
                  />
                ))}
              </Spotlight.ActionsGroup>
            ),
        )}
        {total === 0 && (
          <Spotlight.Empty>
            {services.isFetching ? "Looking…" : "Nothing found. Try the name of a service."}
          </Spotlight.Empty>
        )}
      </Spotlight.ActionsList>
    </Spotlight.Root>
  );
}
