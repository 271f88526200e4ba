import { ago } from "../parts/time";
import type { PublicTunnel, Tunnel } from "./calls";

export const TONES: Record<string, string> = { online: "good", connecting: "busy", error: "bad", expired: "idle" };
export const ACCESS: Record<Tunnel["access"], string> = {
  everyone: "Everyone",
  signed_in: "People signed in here",
};

/** How long a tunnel may last, in seconds; nothing is until somebody ends it. */
export const LASTS = [
  { value: "3600", label: "1 hour" },
  { value: "28800", label: "8 hours" },
  { value: "86400", label: "1 day" },
  { value: "604800", label: "7 days" },
  { value: "2592000", label: "30 days" },
  { value: "", label: "Until I end it" },
];

/** "in 2 hours", "3 minutes ago"; what lasts has no end. */
export function ends(tunnel: Pick<Tunnel, "expires_at">, now: number): string {
  if (!tunnel.expires_at) return "When ended";
  const left = Date.parse(tunnel.expires_at) - now;
  return ago(tunnel.expires_at, left > 300_000 ? now - 90_000 : now); // 8 hours are 8 hours for a while, not 7
}

/** What is handed on: the public port where it has one, else its address. */
export const addressOf = (tunnel: Tunnel) => tunnel.tcp_address ?? tunnel.url;

/** The problem with a label, while it is typed; empty is fine, the portal makes one up. */
export function nameProblem(name: string): string | null {
  if (name === "" || /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return null;
  if (name.length > 63) return "At most 63 characters";
  return "Small letters, digits and hyphens; not at the beginning or end";
}

/** The problem with a relay's address; empty means the portal's own. */
export function relayProblem(text: string): string | null {
  if (text === "") return null;
  try {
    const url = new URL(text.includes("://") ? text : `https://${text}`);
    return url.protocol === "https:" && url.hostname && !url.username ? null : "It begins with https://";
  } catch {
    return "Write it as https://relay.example.org";
  }
}

type Lease = Record<string, unknown>;

/** The tunnels that the page itself carries (script#__SSR_DATA__), as the list shows them; null where there are none. */
export function tunnelsInPage(text: string | null | undefined, port = ""): PublicTunnel[] | null {
  if (!text) return null;
  let leases: unknown;
  try {
    leases = JSON.parse(text);
  } catch {
    return null;
  }
  if (!Array.isArray(leases)) return null;
  return (leases as Lease[]).map((lease) => {
    const pick = (...names: string[]) => names.map((name) => lease[name]).find((value) => value !== undefined);
    const said = pick("Metadata", "metadata");
    let about: Lease = {};
    if (said && typeof said === "object") about = said as Lease;
    else if (typeof said === "string")
      try {
        about = JSON.parse(said) as Lease;
      } catch {
        about = {};
      }
    const text = (value: unknown) => (typeof value === "string" ? value : "");
    const hostname = text(pick("Hostname", "hostname"));
    return {
      name: text(lease.name) || hostname,
      hostname,
      url: text(lease.url) || `https://${hostname}${port && `:${port}`}/`,
      description: text(about.description),
      owner: text(about.owner),
      thumbnail: text(about.thumbnail),
      tags: Array.isArray(about.tags) ? about.tags.filter((tag) => typeof tag === "string") : [],
      online: Number(pick("Ready", "ready") ?? 0) > 0,
      first_seen_at: text(pick("FirstSeenAt", "first_seen_at")) || null,
      last_seen_at: text(pick("LastSeenAt", "last_seen_at")) || null,
    };
  });
}

/** Those that a search means: in name, address, description, owner or tag. */
export function matching(list: PublicTunnel[], search: string): PublicTunnel[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  return list.filter((one) => {
    const text = [one.name, one.hostname, one.description, one.owner, ...one.tags].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
