import type { RelayTunnel } from "./relayCalls";

/** How a lease stands, in one word and its tone: what keeps visitors out comes first. */
export function leaseState(
  one: Pick<RelayTunnel, "is_banned" | "is_denied" | "is_ip_banned" | "waits" | "ready" | "open">,
): { word: string; tone: string } {
  if (one.is_banned) return { word: "Banned", tone: "bad" };
  if (one.is_ip_banned) return { word: "Address banned", tone: "bad" };
  if (one.is_denied) return { word: "Denied", tone: "bad" };
  if (one.waits) return { word: "Waits for approval", tone: "warn" };
  if (one.ready > 0 || one.open > 0) return { word: "Online", tone: "good" };
  return { word: "No agent", tone: "idle" };
}

const UNITS = [
  ["GB/s", 1_000_000_000],
  ["MB/s", 1_000_000],
  ["KB/s", 1000],
] as const;

/** Bytes a second as "250 KB/s"; 0 is no limit. */
export function rate(bps: number): string {
  if (!bps) return "no limit";
  for (const [unit, size] of UNITS) if (bps >= size) return `${+(bps / size).toFixed(1)} ${unit}`;
  return `${bps} B/s`;
}

/** Those that a search means, by name, address, owner or where they come from. */
export function searched(list: RelayTunnel[], search: string): RelayTunnel[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return list.filter((one) => {
    const text = [one.hostname, one.address, one.client_ip, one.reported_ip, one.metadata.owner].join(" ");
    return words.every((word) => text.toLowerCase().includes(word));
  });
}
