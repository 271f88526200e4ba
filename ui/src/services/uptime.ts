import { age } from "../parts/time";

interface Running {
  uptime: string | number | null;
  uptime_seconds?: number | null;
}

/** Seconds since it started; null when it does not run. */
export const secondsUp = ({ uptime, uptime_seconds }: Running): number | null =>
  uptime_seconds ?? (typeof uptime === "number" ? uptime : null);

/** How long it runs, for people: the portal's own words where it says them. */
export function runsFor(service: Running): string {
  if (typeof service.uptime === "string") return service.uptime;
  const seconds = secondsUp(service);
  return seconds === null ? "–" : age(seconds);
}
