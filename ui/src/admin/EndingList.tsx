import { Group, Paper, SegmentedControl, Table } from "@mantine/core";
import { type ReactNode, useState } from "react";
import rows from "../parts/Rows.module.css";
import { Empty, Failed, Loading } from "../parts/states";

interface EndingListProps<T> {
  query: { isPending: boolean; error: Error | null; data?: unknown; refetch: () => void };
  /** What could not be loaded: "the invites". */
  what: string;
  all: T[];
  lives: (one: T) => boolean;
  /** What those that live are called: "Active". */
  word: string;
  add: ReactNode;
  icon: ReactNode;
  /** What stands there while there are none, and while none lives. */
  none: { title: string; text: string };
  noneLives: { title: string; text: string };
  columns: string[];
  row: (one: T) => ReactNode;
}

/** What is given out and ends some day: those that live, or all that there were. */
export function EndingList<T>(props: EndingListProps<T>) {
  const { query, what, all, lives, word, add, icon, none, noneLives, columns, row } = props;
  const [shown, setShown] = useState("living");
  const list = shown === "all" ? all : all.filter(lives);
  return (
    <>
      {all.length > 0 && (
        <Group justify="space-between">
          <SegmentedControl
            aria-label="Which"
            size="xs"
            data={[
              { value: "living", label: word },
              { value: "all", label: `All (${all.length})` },
            ]}
            value={shown}
            onChange={setShown}
          />
          {add}
        </Group>
      )}
      {query.isPending && <Loading rows={4} />}
      {query.error && query.data === undefined && <Failed error={query.error} what={what} retry={query.refetch} />}
      {query.data !== undefined && all.length === 0 && (
        <Empty icon={icon} title={none.title} action={add}>
          {none.text}
        </Empty>
      )}
      {all.length > 0 && list.length === 0 && (
        <Empty icon={icon} title={noneLives.title}>
          {noneLives.text}
        </Empty>
      )}
      {list.length > 0 && (
        <Paper>
          <Table className={rows.rows}>
            <Table.Thead>
              <Table.Tr>
                {columns.map((one) => (
                  <Table.Th key={one}>{one}</Table.Th>
                ))}
                <Table.Th aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>{list.map(row)}</Table.Tbody>
          </Table>
        </Paper>
      )}
    </>
  );
}
