import { queryOptions } from "@tanstack/react-query";
import { call } from "../api/client";
import type { components } from "../api/schema";

type Schema = components["schemas"];
export type RelayStatus = Schema["RelayStatus"];
export type Decided = RelayStatus["identities"][number];

/** One lease as administrators see it; `bps` is bytes a second, 0 no limit. */
export interface RelayTunnel {
  id: string;
  identity_key: string;
  name: string;
  address: string;
  hostname: string;
  owner_id: string | null;
  first_seen_at: string;
  last_seen_at: string;
  expires_at: string;
  metadata: { description?: string; owner?: string; thumbnail?: string; tags?: string[]; hide?: boolean };
  client_ip: string;
  reported_ip: string;
  udp_addr: string;
  tcp_addr: string;
  ready: number;
  open: number;
  connections: number;
  received_bytes: number;
  sent_bytes: number;
  bps: number;
  is_approved: boolean;
  is_denied: boolean;
  is_banned: boolean;
  is_ip_banned: boolean;
  waits: boolean;
}

/** Whom a decision is about. */
export type Identity = Pick<RelayTunnel, "name" | "address">;
export type Decision = "approve" | "deny" | "ban";

const base64url = (text: string) =>
  btoa(String.fromCharCode(...new TextEncoder().encode(text)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
const of = ({ name, address }: Identity, act: string) =>
  `/admin/leases/${base64url(name)}/${base64url(address)}/${act}`;
const ip = (network: string) => `/admin/ips/${encodeURIComponent(network)}/ban`;

/** What an administrator decides about tunnels. */
export const relay = {
  status: () => call<RelayStatus>("GET", "/api/relay"),
  tunnels: () => call<{ tunnels: RelayTunnel[]; total: number }>("GET", "/api/relay/tunnels"),
  decide: (who: Identity, decision: Decision) => call("POST", of(who, decision)),
  takeBack: (who: Identity, decision: Decision) => call("DELETE", of(who, decision)),
  limit: (who: Identity, bps: number | null) =>
    bps === null ? call("DELETE", of(who, "bps")) : call("POST", of(who, "bps"), { body: { bps } }),
  banNetwork: (network: string) => call("POST", ip(network)),
  unbanNetwork: (network: string) => call("DELETE", ip(network)),
  setMode: (mode: "auto" | "manual") => call("POST", "/admin/settings/approval-mode", { body: { mode } }),
  setLandingPage: (enabled: boolean) => call("POST", "/admin/settings/landing-page", { body: { enabled } }),
  setPorts: (kind: "udp" | "tcp-port", body: { enabled: boolean; max_leases: number }) =>
    call("POST", `/admin/settings/${kind}`, { body }),
};

export const relayQuery = queryOptions({
  queryKey: ["admin", "relay", "status"],
  queryFn: relay.status,
  refetchInterval: 5000,
  staleTime: 0,
});
export const relayTunnelsQuery = queryOptions({
  queryKey: ["admin", "relay", "tunnels"],
  queryFn: relay.tunnels,
  refetchInterval: 3000,
  staleTime: 0,
});
export const RELAY_KEY = ["admin", "relay"];
