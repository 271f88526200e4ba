import { queryOptions } from "@tanstack/react-query";
import { call } from "../api/client";
import type { components } from "../api/schema";

type Schema = components["schemas"];
export type Tunnel = Schema["TunnelOut"];
export type NewShare = Partial<Schema["ShareIn"]>;

/** A tunnel as everybody may see it. */
export interface PublicTunnel {
  name: string;
  hostname: string;
  url: string;
  description: string;
  owner: string;
  thumbnail: string;
  tags: string[];
  online: boolean;
  first_seen_at: string | null;
  last_seen_at: string | null;
}
export interface PublicTunnels {
  tunnels: PublicTunnel[];
  relay: { url: string; version: string };
}
type List<T> = { data: T[]; total: number };
const at = (ref: string) => `/api/services/${encodeURIComponent(ref)}`;

export const tunnels = {
  list: (all: boolean) => call<List<Tunnel>>("GET", "/api/tunnels", { query: { all: all || undefined } }),
  one: (id: string) => call<Tunnel>("GET", `/api/tunnels/${encodeURIComponent(id)}`),
  end: (id: string) => call("DELETE", `/api/tunnels/${encodeURIComponent(id)}`),
  share: (ref: string, body: NewShare) => call<Tunnel>("POST", `${at(ref)}/share`, { body }),
  sharesOf: (ref: string) => call<List<Tunnel>>("GET", `${at(ref)}/shares`),
  enter: (id: string, body: { next: string; state: string }) =>
    call<{ location: string }>("POST", `/api/tunnels/${encodeURIComponent(id)}/enter`, { body }),
  everybodys: () => call<PublicTunnels>("GET", "/api/tunnels/public"),
};

/** How a tunnel does is not told live: it is asked for every few seconds, sooner while it connects. */
const SOON = 1000;
const LATER = 5000;
const pace = (rows: Tunnel[] | undefined) => (rows?.some((one) => one.status === "connecting") ? SOON : LATER);

export const tunnelsQuery = (all: boolean) =>
  queryOptions({
    queryKey: ["tunnels", "list", all],
    queryFn: () => tunnels.list(all),
    refetchInterval: (query) => pace(query.state.data?.data),
    staleTime: 0,
  });
export const tunnelQuery = (id: string) =>
  queryOptions({
    queryKey: ["tunnels", "one", id],
    queryFn: () => tunnels.one(id),
    refetchInterval: (query) => (query.state.error ? false : pace(query.state.data && [query.state.data])),
    staleTime: 0,
  });
export const sharesQuery = (ref: string) =>
  queryOptions({
    queryKey: ["tunnels", "of", ref],
    queryFn: () => tunnels.sharesOf(ref),
    refetchInterval: (query) => pace(query.state.data?.data),
    staleTime: 0,
  });
export const publicTunnelsQuery = queryOptions({
  queryKey: ["tunnels", "public"],
  queryFn: tunnels.everybodys,
  refetchInterval: 10_000,
  staleTime: 0,
});
