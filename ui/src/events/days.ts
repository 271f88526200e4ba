import type { ServiceEvent } from "../api/types";

const name = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });

/** Events by the reader's day, in the order given: "Today", "Yesterday", "Monday, March 3". */
export function byDay(events: ServiceEvent[], now = new Date()): [string, ServiceEvent[]][] {
  const yesterday = new Date(now);
  yesterday.setDate(now.getDate() - 1);
  const days = new Map<string, ServiceEvent[]>();
  for (const event of events) {
    const at = new Date(event.timestamp);
    const same = (day: Date) => at.toDateString() === day.toDateString();
    const day = same(now) ? "Today" : same(yesterday) ? "Yesterday" : name.format(at);
    const list = days.get(day);
    if (list) list.push(event);
    else days.set(day, [event]);
  }
  return [...days];
}
