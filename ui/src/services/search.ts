export interface ServiceSearch {
  kind?: Kind;
  page?: number;
  status?: string;
  search?: string;
  sort?: string;
  order?: "asc" | "desc";
}

/** What is listed; nothing said means the apps. */
export const KINDS = ["unit", "endpoint", "tunnel"] as const;
export type Kind = (typeof KINDS)[number];
export const UNIT_STATUSES = ["active", "inactive", "failed", "unknown"];
export const STATUSES = ["running", "stopped", "deploying", "failed"];
export const SORTS = ["name", "status", "created_at", "updated_at"];

/** What the address says about the list; what does not fit is left out rather than refused. */
export function readServiceSearch(search: Record<string, unknown>): ServiceSearch {
  const page = Number(search.page);
  const kind = KINDS.find((one) => one === search.kind);
  return {
    ...(kind && { kind }),
    page: Number.isInteger(page) && page > 1 ? page : undefined,
    status: (kind === "unit" ? UNIT_STATUSES : STATUSES).find((status) => status === search.status),
    search: search.search === undefined || search.search === "" ? undefined : String(search.search),
    sort: SORTS.find((sort) => sort === search.sort),
    order: search.order === "asc" || search.order === "desc" ? search.order : undefined,
  };
}
