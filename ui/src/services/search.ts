export interface ServiceSearch {
  page?: number;
  status?: string;
  search?: string;
  sort?: string;
  order?: "asc" | "desc";
}

export const STATUSES = ["running", "stopped", "deploying", "failed"];
export const SORTS = ["name", "status", "created_at", "updated_at"];

/** What the address says about the list; what does not fit is left out rather than refused. */
export function readServiceSearch(search: Record<string, unknown>): ServiceSearch {
  const page = Number(search.page);
  return {
    page: Number.isInteger(page) && page > 1 ? page : undefined,
    status: STATUSES.find((status) => status === search.status),
    search: search.search === undefined || search.search === "" ? undefined : String(search.search),
    sort: SORTS.find((sort) => sort === search.sort),
    order: search.order === "asc" || search.order === "desc" ? search.order : undefined,
  };
}
