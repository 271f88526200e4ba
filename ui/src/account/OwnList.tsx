import { Paper, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Failed, Loading } from "../parts/states";
import classes from "./Account.module.css";

interface OwnListProps<T> {
  query: { isPending: boolean; error: Error | null; data?: unknown; refetch: () => void };
  /** What could not be loaded: "your passkeys". */
  what: string;
  /** What stands there instead of nothing. */
  none?: string;
  list: T[];
  row: (one: T) => ReactNode;
  children?: ReactNode;
}

/** What a person has of one kind, a row each. */
export function OwnList<T>({ query, what, none, list, row, children }: OwnListProps<T>) {
  return (
    <Paper>
      {query.isPending && (
        <div className={classes.wait}>
          <Loading rows={2} />
        </div>
      )}
      {query.error && <Failed error={query.error} what={what} retry={query.refetch} />}
      {query.data !== undefined && list.length === 0 && (
        <Text size="sm" c="dimmed" p="md">
          {none}
        </Text>
      )}
      {list.map(row)}
      {children}
    </Paper>
  );
}
