import { QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Page, ServiceDetail, ServiceRow } from "../api/types";
import { LiveCache } from "./cache";
import type { Change } from "./socket";

let client: QueryClient;
let cache: LiveCache;

beforeEach(() => {
  client = new QueryClient({ defaultOptions: { queries: { retry: false, gcTime: Number.POSITIVE_INFINITY } } });
  cache = new LiveCache(client, 0);
});
afterEach(() => cache.close());

const resources = { cpu_usage: 0, memory_usage_mb: 1, memory_limit_mb: 64 };
const row = (id: string, status: ServiceRow["status"]) => ({ id, name: `n-${id}`, status, resources }) as ServiceRow;
const page = (...data: ServiceRow[]): Page<ServiceRow> => ({ data, total: data.length, page: 1, per_page: 25 });
const changed = (data: ServiceRow): Change => ({
  cursor: "e.1",
  topic: "service",
  action: "changed",
  id: data.id,
  data: { ...data },
});
const KEY = ["services", {}];
const statuses = () => client.getQueryData<Page<ServiceRow>>(KEY)?.data.map((one) => one.status);

test("a change is seen in every list that shows the service", () => {
  client.setQueryData(KEY, page(row("a", "running"), row("b", "running")));
  cache.take(changed(row("b", "failed")));
  expect(statuses()).toEqual(["running", "failed"]);
});

test("a change that comes while a list is fetched is not undone by the older answer", async () => {
  let answer: (value: Page<ServiceRow>) => void = () => {};
  const fetching = client.fetchQuery({
    queryKey: KEY,
    queryFn: () =>
      new Promise<Page<ServiceRow>>((done) => {
        answer = done;
      }),
  });
  await vi.waitFor(() => expect(client.isFetching()).toBe(1));
  cache.take(changed(row("a", "failed")));
  answer(page(row("a", "running")));
  await fetching;
  expect(statuses()).toEqual(["failed"]);
});

test("a change from before the fetch is not replayed over a newer answer", async () => {
  client.setQueryData(KEY, page(row("a", "running")));
  cache.take(changed(row("a", "deploying")));
  await client.fetchQuery({ queryKey: KEY, queryFn: async () => page(row("a", "running")), staleTime: 0 });
  expect(statuses()).toEqual(["running"]);
});

test("a row keeps what only the detail knows", () => {
  const detail = { ...row("a", "running"), resources: { ...resources, cpu_limit: 2, storage_mb: 7 }, restarts: 3 };
  client.setQueryData(["service", "n-a"], detail);
  cache.take(changed(row("a", "stopped")));
  const now = client.getQueryData<ServiceDetail>(["service", "n-a"]);
  expect([now?.status, now?.resources.cpu_limit, now?.restarts]).toEqual(["stopped", 2, 3]);
});

test("measurements reach the row and the chart of the service they belong to", () => {
  client.setQueryData(["service", "n-a"], row("a", "running"));
  client.setQueryData(KEY, page(row("a", "running")));
  const before = { data: [{ at: "2026-01-01T00:00:00Z", cpu_usage: 0, memory_usage_mb: 1 }] };
  client.setQueryData(["metrics", "n-a", 5], before);
  client.setQueryData(["metrics", "n-b", 5], before);
  const sample = { at: "2026-01-01T00:04:00Z", cpu_usage: 0.5, memory_usage_mb: 9 };
  cache.take({ cursor: "e.2", topic: "metrics", action: "changed", id: "all", data: { a: sample } });
  expect(client.getQueryData<Page<ServiceRow>>(KEY)?.data[0]?.resources.memory_usage_mb).toBe(9);
  expect(client.getQueryData<typeof before>(["metrics", "n-a", 5])?.data).toHaveLength(2);
  expect(client.getQueryData<typeof before>(["metrics", "n-b", 5])?.data).toHaveLength(1);
});

test("the same event is listed once", () => {
  client.setQueryData(["recent"], { data: [] });
  const event: Change = { cursor: "e.3", topic: "event", action: "created", id: "7", data: { id: 7, service_id: "a" } };
  cache.take(event);
  cache.take(event);
  expect(client.getQueryData<{ data: unknown[] }>(["recent"])?.data).toHaveLength(1);
});
