import { ActionIcon, Badge, Kbd, Menu, Text, Tooltip, UnstyledButton, useMantineColorScheme } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import {
  IconAdjustments,
  IconApi,
  IconDeviceDesktop,
  IconHome,
  IconKey,
  IconLogout,
  IconMoon,
  IconPlugConnectedX,
  IconRouteAltLeft,
  IconSearch,
  IconServer,
  IconShieldLock,
  IconSun,
  IconUserCircle,
  IconUsers,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { Face } from "../account/Face";
import { placesFor } from "../admin/places";
import { meQuery, portalQuery, servicesQuery } from "../api/queries";
import { useLiveState } from "../live/LiveProvider";
import { useCan, useSignOut } from "../session/session";
import classes from "./Frame.module.css";
import { Mark } from "./Mark";
import { Where } from "./Where";

/** The palette is a part of its own, loaded after the page. */
const openPalette = () => void import("@mantine/spotlight").then(({ spotlight }) => spotlight.open());
const Palette = lazy(() => import("./Palette"));

/** Everybody's account while the portal is open. */
const DEVELOPER = "usr_developer";

export function Frame() {
  useHotkeys([["mod+K", openPalette]], []);
  return (
    <div className={classes.frame}>
      <a className={classes.skip} href="#main">
        Skip to the content
      </a>
      <nav className={classes.rail} aria-label="Main">
        <Link to="/" className={classes.brand}>
          <Mark size={26} />
          <span>Homeport</span>
        </Link>
        <RailLinks />
        <Version />
      </nav>
      <header className={classes.top}>
        <Where />
        <OpenSign />
        <LiveSign />
        <UnstyledButton className={classes.search} onClick={openPalette} aria-label="Go to or do anything">
          <IconSearch size={16} stroke={1.8} />
          <span className="wide-only">Go to or do…</span>
          <Kbd className="wide-only" size="xs">
            Ctrl K
          </Kbd>
        </UnstyledButton>
        <ThemeSwitch />
        <Me />
      </header>
      <main id="main" className={classes.main} tabIndex={-1}>
        <Outlet />
      </main>
      <Suspense fallback={null}>
        <Palette />
      </Suspense>
    </div>
  );
}

function RailLinks() {
  const can = useCan();
  const failing = useQuery(servicesQuery({ status: "failed", per_page: 1 }));
  const broken = failing.data?.total ?? 0;
  const administers = placesFor(can).length > 0;
  return (
    <div className={classes.links}>
      <Link to="/" className={classes.link} activeOptions={{ exact: true }}>
        <IconHome size={18} stroke={1.7} />
        Home
      </Link>
      <Link to="/services" className={classes.link}>
        <IconServer size={18} stroke={1.7} />
        Services
        {broken > 0 && (
          <Tooltip label={`${broken} failed`}>
            <Badge size="sm" color="red" variant="light" ml="auto" className={classes.badge} circle={broken < 10}>
              {broken}
            </Badge>
          </Tooltip>
        )}
      </Link>
      {can("tunnels.read") && (
        <Link to="/tunnels" className={classes.link}>
          <IconRouteAltLeft size={18} stroke={1.7} />
          Tunnels
        </Link>
      )}
      {(can("customers.read") || administers) && <span className={classes.heading}>Admin</span>}
      {can("customers.read") && (
        <Link to="/customers" className={classes.link}>
          <IconUsers size={18} stroke={1.7} />
          Customers
        </Link>
      )}
      {administers && (
        <Link to="/admin" className={classes.link}>
          <IconAdjustments size={18} stroke={1.7} />
          Admin
        </Link>
      )}
    </div>
  );
}

function Version() {
  const portal = useQuery(portalQuery);
  return (
    <Text size="xs" c="dimmed" className={classes.version}>
      {portal.data && `Homeport ${portal.data.version}`}
    </Text>
  );
}

/** Says that this portal was started with --open. */
function OpenSign() {
  const { data: me } = useQuery(meQuery);
  if (me?.id !== DEVELOPER) return null;
  return (
    <Tooltip label="Nobody signs in: everybody on this machine is an administrator. Start it without --open to close it.">
      <Badge color="red" variant="filled" tt="none">
        Open portal
      </Badge>
    </Tooltip>
  );
}

/** Says that what is shown may be old; silent while all is well. */
function LiveSign() {
  const state = useLiveState();
  return (
    <div aria-live="polite" className={classes.live}>
      {state === "reconnecting" && (
        <Tooltip label="What you see may be old until the portal answers again">
          <Badge color="yellow" variant="light" leftSection={<IconPlugConnectedX size={13} />} tt="none">
            Reconnecting…
          </Badge>
        </Tooltip>
      )}
    </div>
  );
}

function ThemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const themes = [
    { value: "light", label: "Light", icon: IconSun },
    { value: "dark", label: "Dark", icon: IconMoon },
    { value: "auto", label: "As the system", icon: IconDeviceDesktop },
  ] as const;
  const Now = themes.find((theme) => theme.value === colorScheme)?.icon ?? IconSun;
  return (
    <Menu position="bottom-end" width={170}>
      <Menu.Target>
        <ActionIcon size="lg" aria-label="Theme">
          <Now size={18} stroke={1.7} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {themes.map(({ value, label, icon: Icon }) => (
          <Menu.Item
            key={value}
            leftSection={<Icon size={16} />}
            onClick={() => setColorScheme(value)}
            aria-current={value === colorScheme || undefined}
            fw={value === colorScheme ? 600 : undefined}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Me() {
  const { data: me } = useQuery(meQuery);
  const readOnly = !useCan()("services.write");
  const signOut = useSignOut();
  const name = me?.nickname || me?.name || me?.username || "";
  return (
    <Menu position="bottom-end" width={210}>
      <Menu.Target>
        <ActionIcon size="lg" radius="xl" aria-label="Your account">
          <Face look={me?.avatar} name={name} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          {name} · {readOnly ? "can look, not change" : me?.role}
        </Menu.Label>
        <Menu.Item leftSection={<IconUserCircle size={16} />} component={Link} to="/account">
          Profile
        </Menu.Item>
        <Menu.Item leftSection={<IconShieldLock size={16} />} component={Link} to="/account/security">
          Security
        </Menu.Item>
        <Menu.Item leftSection={<IconKey size={16} />} component={Link} to="/account/keys">
          API keys
        </Menu.Item>
        <Menu.Item leftSection={<IconApi size={16} />} component="a" href="/docs">
          API reference
        </Menu.Item>
        {me?.id !== DEVELOPER && (
          <>
            <Menu.Divider />
            <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => void signOut()}>
              Sign out
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
