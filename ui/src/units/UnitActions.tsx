import { ActionIcon, Button, Group, Tooltip } from "@mantine/core";
import { IconPlayerPlay, IconPlayerStop, IconRefresh, IconReload } from "@tabler/icons-react";
import type { Unit } from "../api/types";
import { type Action, useServiceActions } from "../services/actions";
import { refusal } from "./words";

const ICONS = { start: IconPlayerPlay, stop: IconPlayerStop, restart: IconRefresh, reload: IconReload };
const WORDS = { start: "Start", stop: "Stop", restart: "Restart", reload: "Reload" };

/** What makes sense for a unit in this state. */
const offered = (unit: Unit): Action[] =>
  unit.status === "active" || unit.active_state === "activating" ? ["stop", "restart", "reload"] : ["start"];

/** Start, stop, restart, reload; what is refused says why. Small ones are for a row of a table. */
export function UnitActions({ unit, small }: { unit: Unit; small?: boolean }) {
  const { act } = useServiceActions();
  const busy = act.isPending ? act.variables.action : null;
  return (
    <Group gap={small ? 2 : "xs"} wrap="nowrap" justify="flex-end">
      {offered(unit).map((action) => {
        const Icon = ICONS[action];
        const why = refusal(unit, action);
        if (why && action === "reload") return null;
        const run = () => act.mutate({ ref: unit.name, action });
        return (
          <Tooltip key={action} label={why ?? WORDS[action]} disabled={!small && !why} multiline maw={260}>
            {small ? (
              <ActionIcon
                aria-label={`${WORDS[action]} ${unit.name}`}
                data-disabled={why ? true : undefined}
                aria-disabled={why ? true : undefined}
                loading={busy === action}
                onClick={why ? undefined : run}
              >
                <Icon size={17} stroke={1.7} />
              </ActionIcon>
            ) : (
              <Button
                variant="default"
                leftSection={<Icon size={16} />}
                data-disabled={why ? true : undefined}
                aria-disabled={why ? true : undefined}
                aria-description={why ?? undefined}
                loading={busy === action}
                disabled={busy !== null && busy !== action}
                onClick={why ? undefined : run}
              >
                {WORDS[action]}
              </Button>
            )}
          </Tooltip>
        );
      })}
    </Group>
  );
}
