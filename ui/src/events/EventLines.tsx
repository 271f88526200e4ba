import { Text } from "@mantine/core";
import {
  IconArrowBackUp,
  IconHeartbeat,
  IconPlayerPlay,
  IconPlayerStop,
  IconPoint,
  IconRefresh,
  IconRocket,
  IconTrash,
} from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import type { ServiceEvent } from "../api/types";
import { toneOf } from "../parts/StatusWord";
import { When } from "../parts/When";
import classes from "./EventLines.module.css";

const ICONS: Record<string, typeof IconPoint> = {
  deploy: IconRocket,
  redeploy: IconRocket,
  rollback: IconArrowBackUp,
  start: IconPlayerPlay,
  stop: IconPlayerStop,
  restart: IconRefresh,
  health: IconHeartbeat,
  delete: IconTrash,
};

/** Events, one a line; `named` says whose each is. */
export function EventLines({ events, named }: { events: ServiceEvent[]; named?: boolean }) {
  return (
    <ol className={classes.list}>
      {events.map((event) => {
        const Icon = ICONS[event.type] ?? IconPoint;
        return (
          <li key={event.id} className={classes.line} data-tone={toneOf(event.status)}>
            <span className={classes.icon} role="img" aria-label={`${event.type} ${event.status}`}>
              <Icon size={14} stroke={1.8} />
            </span>
            <span className={classes.words}>
              {named && event.service_name && (
                <Link to="/services/$ref" params={{ ref: event.service_name }} className="plain-link">
                  <Text span size="sm" fw={600} mr={6}>
                    {event.service_name}
                  </Text>
                </Link>
              )}
              {event.message}
            </span>
            <Text size="xs" c="dimmed" className={classes.when}>
              <When at={event.timestamp} />
            </Text>
          </li>
        );
      })}
    </ol>
  );
}
