import { keepPreviousData, MutationCache, QueryCache, QueryClient, queryOptions } from "@tanstack/react-query";
import { api, type ServiceQuery } from "./calls";
import { ApiError } from "./client";
import type { Page, Unit } from "./types";

/** Live updates keep what is shown fresh, so nothing is fetched again just because time passed. */
export function makeQueryClient(): QueryClient {
  // Whoever is no longer signed in learns it at the first thing they ask for.
  const onError = (error: Error) => {
    if (error instanceof ApiError && error.code === "unauthenticated" && !client.isFetching(meQuery))
      void client.invalidateQueries(meQuery);
  };
  const client = new QueryClient({
    queryCache: new QueryCache({ onError: (error, query) => query.queryKey[0] !== "me" && onError(error) }),
    mutationCache: new MutationCache({ onError }),
    defaultOptions: {
      queries: {
        staleTime: 30_000,
        refetchOnWindowFocus: false,
        retry: (failures, error) => failures < 2 && (!(error instanceof ApiError) || error.status === 0),
      },
    },
  });
  return client;
}

export const meQuery = queryOptions({ queryKey: ["me"], queryFn: api.me, staleTime: Number.POSITIVE_INFINITY });
export const portalQuery = queryOptions({ queryKey: ["portal"], queryFn: api.portal, staleTime: 3_600_000 });
export const keysQuery = queryOptions({ queryKey: ["keys"], queryFn: api.keys });

export const servicesQuery = (query: ServiceQuery) =>
  queryOptions({
    queryKey: ["services", query],
    queryFn: ({ signal }) => api.services(query, signal),
    placeholderData: keepPreviousData,
  });
export const serviceQuery = (ref: string) =>
  queryOptions({ queryKey: ["service", ref], queryFn: () => api.service(ref) });
export const releasesQuery = (ref: string) =>
  queryOptions({ queryKey: ["releases", ref], queryFn: () => api.releases(ref) });
export const variablesQuery = (ref: string) =>
  queryOptions({ queryKey: ["variables", ref], queryFn: () => api.variables(ref, false), staleTime: 0 });
export const metricsQuery = (ref: string, minutes: number) =>
  queryOptions({
    queryKey: ["metrics", ref, minutes],
    queryFn: () => api.metrics(ref, minutes),
    placeholderData: keepPreviousData,
  });
export const eventsQuery = (ref: string) =>
  queryOptions({
    queryKey: ["events", ref],
    // Oldest first on the wire, so the newest are on the last page.
    queryFn: async () => {
      const first = await api.events(ref, { page: 1, per_page: 100 });
      const last = Math.ceil(first.total / 100);
      if (last <= 1) return { events: first.data.toReversed(), total: first.total };
      const [before, newest] = await Promise.all([
        last > 2 ? api.events(ref, { page: last - 1, per_page: 100 }) : first,
        api.events(ref, { page: last, per_page: 100 }),
      ]);
      return { events: [...before.data, ...newest.data].toReversed(), total: first.total };
    },
  });
export const recentQuery = queryOptions({ queryKey: ["recent"], queryFn: () => api.recent(30) });
export const jobQuery = (id: string) => queryOptions({ queryKey: ["job", id], queryFn: () => api.job(id) });
export const templatesQuery = queryOptions({ queryKey: ["templates"], queryFn: api.templates, staleTime: 600_000 });
export const templateQuery = (id: string) =>
  queryOptions({ queryKey: ["template", id], queryFn: () => api.template(id), staleTime: 600_000 });

export const containersQuery = (ref: string) =>
  queryOptions({ queryKey: ["containers", ref], queryFn: () => api.containers(ref), refetchInterval: 5000 });
export const domainsQuery = (ref: string) =>
  queryOptions({ queryKey: ["domains", ref], queryFn: () => api.domains(ref) });
export const healthQuery = (ref: string) =>
  queryOptions({ queryKey: ["health", ref], queryFn: () => api.health(ref), refetchInterval: 15_000 });
export const machineQuery = queryOptions({
  queryKey: ["machine"],
  queryFn: api.machine,
  refetchInterval: 5000,
  retry: false,
});

export const customersQuery = (query: { page?: number; per_page?: number; search?: string; status?: string }) =>
  queryOptions({
    queryKey: ["customers", query],
    queryFn: () => api.customers(query),
    placeholderData: keepPreviousData,
  });
export const customerQuery = (id: string) =>
  queryOptions({ queryKey: ["customers", "one", id], queryFn: () => api.customer(id) });
export const usageQuery = (id: string) =>
  queryOptions({ queryKey: ["customers", "usage", id], queryFn: () => api.usage(id) });
export const customerUsersQuery = (id: string) =>
  queryOptions({ queryKey: ["customers", "users", id], queryFn: () => api.customerUsers(id) });
export const plansQuery = queryOptions({ queryKey: ["plans"], queryFn: api.plans });

/** The units of the host; what systemd does by itself is told live, and looked at again in case it was not. */
export const unitsQuery = queryOptions({
  queryKey: ["services", { type: "unit" }],
  queryFn: ({ signal }) => api.services({ type: "unit" }, signal) as unknown as Promise<Page<Unit>>,
  refetchInterval: 15_000,
});
