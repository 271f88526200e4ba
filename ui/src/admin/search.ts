export interface PeopleSearch {
  page?: number;
  search?: string;
}

export interface AuditSearch {
  page?: number;
  action?: string;
  actor?: string;
  target?: string;
  result?: AuditResult;
  /** How far back: the last hour, day, week or month. */
  since?: AuditSpan;
}

export const SPANS = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 } as const;
export type AuditSpan = keyof typeof SPANS;
export const RESULTS = ["done", "refused", "failed"] as const;
export type AuditResult = (typeof RESULTS)[number];

const text = (value: unknown) => (value === undefined || value === null || value === "" ? undefined : String(value));
const page = (value: unknown) => (Number.isInteger(Number(value)) && Number(value) > 1 ? Number(value) : undefined);

/** What the address says about the list of people; what does not fit is left out. */
export const readPeopleSearch = (search: Record<string, unknown>): PeopleSearch => ({
  page: page(search.page),
  search: text(search.search),
});

/** What the address says about the audit log. */
export const readAuditSearch = (search: Record<string, unknown>): AuditSearch => ({
  page: page(search.page),
  action: text(search.action),
  actor: text(search.actor),
  target: text(search.target),
  result: RESULTS.find((one) => one === search.result),
  since: (Object.keys(SPANS) as AuditSpan[]).find((one) => one === search.since),
});

/** The beginning of a span that ends now, to the minute: the same question within a minute has the same answer. */
export function sinceOf(span: AuditSpan | undefined, now: number): string | undefined {
  if (!span) return undefined;
  const start = new Date(Math.floor((now - SPANS[span]) / 60_000) * 60_000);
  return start.toISOString().replace(".000Z", "Z");
}
