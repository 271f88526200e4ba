import type { Query, QueryClient } from "@tanstack/react-query";
import type { Job, Metrics, Page, ServiceDetail, ServiceEvent, ServiceRow } from "../api/types";
import type { Change } from "./socket";

type Row = Partial<ServiceRow> & { id: string };
type Sample = Omit<Metrics["data"][number], "at"> & { at?: string };
type EventList = { events: ServiceEvent[]; total: number };
const KEPT_EVENTS = 30;

/**
 * Brings changes into what has been fetched. A fetch that is on its way may carry an older picture, so changes are
 * held while any fetch runs and replayed over its answer.
 */
export class LiveCache {
  private held: { at: number; change: Change }[] = [];
  private readonly started = new Map<string, number>();
  private clock = 0;
  private readonly stale = new Map<string, readonly unknown[]>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly unsubscribe: () => void;

  constructor(
    private readonly client: QueryClient,
    private readonly pause = 300,
  ) {
    this.unsubscribe = client.getQueryCache().subscribe((event) => {
      if (event.type !== "updated") return;
      if (event.action.type === "fetch") this.started.set(event.query.queryHash, this.clock);
      else if (event.action.type === "success" && !event.action.manual) this.settled(event.query);
      else if (event.action.type === "error") this.started.delete(event.query.queryHash);
    });
  }

  close(): void {
    this.unsubscribe();
    clearTimeout(this.timer);
  }

  take(change: Change): void {
    this.clock += 1;
    if (this.started.size) this.held.push({ at: this.clock, change });
    for (const query of this.client.getQueryCache().getAll()) this.apply(query, change);
    this.mark(change);
  }

  /** Everything on screen is fetched again; the rest when it is next shown. */
  reset(): void {
    void this.client.invalidateQueries({ predicate: (query) => !["me", "portal"].includes(String(query.queryKey[0])) });
  }

  private settled(query: Query): void {
    const since = this.started.get(query.queryHash) ?? 0;
    this.started.delete(query.queryHash);
    for (const { at, change } of this.held) if (at > since) this.apply(query, change);
    if (this.started.size === 0) this.held = [];
  }

  private apply(query: Query, change: Change): void {
    if (query.state.data === undefined) return;
    const key = query.queryKey as [string, ...unknown[]];
    const next = this.updated(key, query.state.data, change);
    if (next !== query.state.data) this.client.setQueryData(key, next, { updatedAt: query.state.dataUpdatedAt });
  }

  private updated(key: readonly unknown[], data: unknown, change: Change): unknown {
    const { topic, action, id } = change;
    if (topic === "service" && action !== "deleted") {
      const row = { ...change.data, id } as Row;
      if (key[0] === "services") return withRow(data as Page<ServiceRow>, row);
      if (key[0] === "service" && (data as ServiceDetail).id === id) return merged(data as ServiceDetail, row);
    }
    if (topic === "metrics") return withSamples(key, data, change.data as Record<string, Sample>, this);
    if (topic === "job" && key[0] === "job" && (data as Job).id === id) return { ...(data as Job), ...change.data };
    if (topic === "event" && action === "created") {
      const event = change.data as unknown as ServiceEvent;
      if (key[0] === "recent") {
        const { data: events } = data as { data: ServiceEvent[] };
        return events.some((e) => String(e.id) === id) ? data : { data: [event, ...events].slice(0, KEPT_EVENTS) };
      }
      if (key[0] === "events" && this.names(event.service_id, event.service_name).has(key[1])) {
        const { events, total } = data as EventList;
        return events.some((e) => String(e.id) === id) ? data : { events: [event, ...events], total: total + 1 };
      }
    }
    return data;
  }

  /** Names what a row cannot update by itself (totals, order, parts of the detail), to be fetched soon and together. */
  private mark({ topic, action, id, data }: Change): void {
    if (topic === "service") {
      if (action !== "changed" || data.status !== undefined) this.later(["services"]);
      for (const name of this.names(id, data.name)) this.later(["service", name]);
    }
    if (topic === "release") {
      for (const name of this.names(data.service_id)) {
        this.later(["releases", name]);
        this.later(["service", name]);
      }
    }
    if (topic === "customer" || topic === "plan") {
      this.later(["customers"]);
      this.later(["plans"]);
    }
    if (topic === "endpoint") {
      this.later(["services"]);
      for (const name of this.names(id, data.name)) this.later(["service", name]);
    }
    if (topic === "tunnel") this.later(["tunnels"]);
    if (topic === "job") {
      this.later(["jobs"]);
      for (const name of this.names(data.service_id, data.service_name)) this.later(["releases", name]);
    }
  }

  private later(key: readonly unknown[]): void {
    this.stale.set(JSON.stringify(key), key);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      const keys = [...this.stale.values()];
      this.stale.clear();
      for (const queryKey of keys) void this.client.invalidateQueries({ queryKey });
    }, this.pause);
  }

  /** What a service is called in query keys: its id, and its name where that is known. */
  names(id: unknown, name?: unknown): Set<unknown> {
    const names = new Set([id, name].filter(Boolean));
    for (const query of this.client.getQueryCache().findAll({ queryKey: ["service"] }))
      if ((query.state.data as ServiceDetail | undefined)?.id === id) names.add(query.queryKey[1]);
    return names;
  }
}

function merged<T extends ServiceRow>(before: T, row: Row): T {
  return { ...before, ...row, resources: { ...before.resources, ...row.resources } } as T;
}

function withRow(page: Page<ServiceRow>, row: Row): Page<ServiceRow> {
  const index = page.data.findIndex((known) => known.id === row.id);
  const before = page.data[index];
  return before ? { ...page, data: page.data.with(index, merged(before, row)) } : page;
}

function withPoint(metrics: Metrics, point: Metrics["data"][number], minutes: number): Metrics {
  const last = metrics.data.at(-1);
  if (last && last.at >= point.at) return metrics;
  const first = new Date(Date.parse(point.at) - minutes * 60_000).toISOString();
  return { ...metrics, data: [...metrics.data.filter((known) => known.at > first), point] };
}

/** One round of measurements over all services. */
function withSamples(
  key: readonly unknown[],
  data: unknown,
  samples: Record<string, Sample>,
  cache: LiveCache,
): unknown {
  if (key[0] === "services") {
    let page = data as Page<ServiceRow>;
    for (const row of page.data) page = withSample(page, row.id, samples[row.id]);
    return page;
  }
  if (key[0] === "service") {
    const detail = data as ServiceDetail;
    const sample = samples[detail.id];
    return sample ? merged(detail, { id: detail.id, resources: measured(sample) } as Row) : detail;
  }
  if (key[0] === "metrics")
    for (const [id, { at, ...sample }] of Object.entries(samples))
      if (at && cache.names(id).has(key[1])) return withPoint(data as Metrics, { at, ...sample }, Number(key[2]));
  return data;
}

const measured = ({ cpu_usage, memory_usage_mb }: Sample) => ({ cpu_usage, memory_usage_mb });

const withSample = (page: Page<ServiceRow>, id: string, sample: Sample | undefined) =>
  sample ? withRow(page, { id, resources: measured(sample) } as Row) : page;
