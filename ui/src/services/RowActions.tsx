import { ActionIcon, Group, Menu, Tooltip } from "@mantine/core";
import {
  IconDotsVertical,
  IconHistory,
  IconPlayerPlay,
  IconPlayerStop,
  IconRefresh,
  IconRocket,
  IconSettings,
  IconShare3,
  IconTerminal2,
} from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ServiceRow } from "../api/types";
import { useCan } from "../session/session";
import { useServiceActions } from "./actions";

/** The likeliest action by one click, the rest in a menu. */
export function RowActions({ service }: { service: ServiceRow }) {
  const can = useCan();
  const { act, redeploy } = useServiceActions();
  const ref = service.name;
  const running = service.status === "running";
  const deploying = service.status === "deploying";
  const write = can("services.write") && !deploying;
  return (
    <Group gap={2} wrap="nowrap" justify="flex-end">
      <Tooltip label="Logs">
        <ActionIcon component={Link} to={`/services/${ref}/logs`} aria-label={`Logs of ${ref}`} data-reveal>
          <IconTerminal2 size={17} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
      {write &&
        (running ? (
          <Tooltip label="Restart">
            <ActionIcon
              aria-label={`Restart ${ref}`}
              data-reveal
              loading={act.isPending}
              onClick={() => act.mutate({ ref, action: "restart" })}
            >
              <IconRefresh size={17} stroke={1.7} />
            </ActionIcon>
          </Tooltip>
        ) : (
          <Tooltip label="Start">
            <ActionIcon
              aria-label={`Start ${ref}`}
              data-reveal
              loading={act.isPending}
              onClick={() => act.mutate({ ref, action: "start" })}
            >
              <IconPlayerPlay size={17} stroke={1.7} />
            </ActionIcon>
          </Tooltip>
        ))}
      <Menu position="bottom-end" width={170}>
        <Menu.Target>
          <ActionIcon aria-label={`More about ${ref}`}>
            <IconDotsVertical size={17} stroke={1.7} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {write && running && (
            <>
              <Menu.Item leftSection={<IconRefresh size={16} />} onClick={() => act.mutate({ ref, action: "restart" })}>
                Restart
              </Menu.Item>
              <Menu.Item leftSection={<IconPlayerStop size={16} />} onClick={() => act.mutate({ ref, action: "stop" })}>
                Stop
              </Menu.Item>
            </>
          )}
          {write && !running && (
            <Menu.Item leftSection={<IconPlayerPlay size={16} />} onClick={() => act.mutate({ ref, action: "start" })}>
              Start
            </Menu.Item>
          )}
          {can("services.deploy") && !deploying && (
            <Menu.Item leftSection={<IconRocket size={16} />} onClick={() => redeploy.mutate({ ref })}>
              Redeploy
            </Menu.Item>
          )}
          {can("tunnels.write") && (
            <Menu.Item
              leftSection={<IconShare3 size={16} />}
              component={Link}
              to={`/services/${ref}`}
              search={{ share: true } as never}
            >
              Share…
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconTerminal2 size={16} />} component={Link} to={`/services/${ref}/logs`}>
            Logs
          </Menu.Item>
          <Menu.Item leftSection={<IconHistory size={16} />} component={Link} to={`/services/${ref}/releases`}>
            Releases
          </Menu.Item>
          <Menu.Item leftSection={<IconSettings size={16} />} component={Link} to={`/services/${ref}/settings`}>
            Settings
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
