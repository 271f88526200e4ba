import { Pagination } from "@mantine/core";

interface PagesProps {
  total: number;
  perPage: number;
  page: number;
  /** Undefined is the first page, which stands in no address. */
  turn: (page: number | undefined) => void;
}

/** The pages of a list; nothing where one holds it all. */
export function Pages({ total, perPage, page, turn }: PagesProps) {
  const pages = Math.ceil(total / perPage);
  if (pages < 2) return null;
  return (
    <Pagination
      size="sm"
      total={pages}
      value={page}
      onChange={(next) => turn(next === 1 ? undefined : next)}
      getControlProps={(control) => ({ "aria-label": `${control} page` })}
    />
  );
}
