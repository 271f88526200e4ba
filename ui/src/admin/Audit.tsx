import { Button, CloseButton, Code, Group, Modal, Paper, Select, Stack, Table, Text } from "@mantine/core";
import { IconListSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { count } from "../parts/numbers";
import { Pages } from "../parts/Pages";
import rows from "../parts/Rows.module.css";
import { SearchField } from "../parts/SearchField";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { exact } from "../parts/time";
import { When } from "../parts/When";
import classes from "./Admin.module.css";
import { auditQuery, peopleQuery } from "./calls";
import { type AuditSearch, RESULTS, sinceOf } from "./search";
import type { AuditEntry } from "./types";
import { Verify } from "./Verify";
import { detailLines, inWords, targetOf } from "./words";

const route = getRouteApi("/admin/audit");
const PER_PAGE = 50;
const TONES = { done: "good", refused: "warn", failed: "bad" };
const WORDS = { done: "Done", refused: "Refused", failed: "Failed" };

/** Who did what, when, from where, and how it ended. */
export default function Audit() {
  const search = route.useSearch();
  const { page = 1, action, actor, target, result, since } = search;
  const navigate = useNavigate({ from: "/admin/audit" });
  // biome-ignore lint/correctness/useExhaustiveDependencies: a span is counted from when the person asks for it
  const from = useMemo(() => sinceOf(since, Date.now()), [since, page, action, actor, target, result]);
  const entries = useQuery(
    auditQuery({
      limit: PER_PAGE,
      offset: (page - 1) * PER_PAGE,
      action,
      actor_id: actor,
      target_type: target,
      result,
      since: from,
    }),
  );
  const [opened, setOpened] = useState<AuditEntry | null>(null);
  const set = (change: AuditSearch) =>
    void navigate({ search: (before) => ({ ...before, page: undefined, ...change }), replace: !("page" in change) });
  const filtered = Boolean(action || actor || target || result || since);
  const total = entries.data?.total ?? 0;
  return (
    <>
      <Filters search={search} set={set} />
      <Group justify="space-between">
        <Text size="sm" c="dimmed" className="num" aria-live="polite">
          {entries.data && count(total, "record")}
        </Text>
        <Verify />
      </Group>
      {entries.isPending && <Loading rows={8} />}
      {entries.error && !entries.data && <Failed error={entries.error} what="the audit log" retry={entries.refetch} />}
      {entries.data && total === 0 && (
        <Empty
          icon={<IconListSearch size={32} stroke={1.4} />}
          title={filtered ? "No record matches" : "Nothing has been done yet"}
          action={
            filtered && (
              <Button variant="default" onClick={() => void navigate({ search: {} })}>
                Show all
              </Button>
            )
          }
        >
          {filtered ? undefined : "Every act of a person or a program leaves a record here."}
        </Empty>
      )}
      {entries.data && total > 0 && (
        <Paper>
          <Table className={rows.rows} highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Who</Table.Th>
                <Table.Th>What</Table.Th>
                <Table.Th>Result</Table.Th>
                <Table.Th>From</Table.Th>
                <Table.Th>When</Table.Th>
                <Table.Th aria-label="Details" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {entries.data.entries.map((entry) => (
                <Row key={entry.id} entry={entry} open={() => setOpened(entry)} />
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      <Pages total={total} perPage={PER_PAGE} page={page} turn={(next) => set({ page: next })} />
      {opened && (
        <Details
          entry={opened}
          close={() => setOpened(null)}
          only={(change) => {
            setOpened(null);
            void navigate({ search: change });
          }}
        />
      )}
    </>
  );
}

function Filters({ search, set }: { search: AuditSearch; set: (change: AuditSearch) => void }) {
  const people = useQuery(peopleQuery({ per_page: 100 }));
  return (
    <Group gap="sm" className={classes.filters}>
      <SearchField
        className={classes.search}
        label="Act"
        placeholder="Act, as login or create_user"
        value={search.action ?? ""}
        change={(text) => set({ action: text.trim().toLowerCase().replaceAll(" ", "_") || undefined })}
      />
      <Select
        w={170}
        aria-label="Who"
        placeholder="Anybody"
        clearable
        searchable
        data={people.data?.users.map((one) => ({ value: String(one.id), label: one.username })) ?? []}
        value={search.actor ?? null}
        onChange={(next) => set({ actor: next ?? undefined })}
      />
      <Select
        w={150}
        aria-label="Result"
        placeholder="Any result"
        clearable
        data={RESULTS.map((one) => ({ value: one, label: WORDS[one] }))}
        value={search.result ?? null}
        onChange={(next) => set({ result: RESULTS.find((one) => one === next) })}
      />
      <Select
        w={160}
        aria-label="When"
        placeholder="Any time"
        clearable
        data={[
          { value: "1h", label: "Last hour" },
          { value: "24h", label: "Last 24 hours" },
          { value: "7d", label: "Last 7 days" },
          { value: "30d", label: "Last 30 days" },
        ]}
        value={search.since ?? null}
        onChange={(next) => set({ since: (next ?? undefined) as AuditSearch["since"] })}
      />
      {search.target && (
        <Button
          size="xs"
          variant="light"
          rightSection={<CloseButton component="span" size="xs" aria-hidden />}
          onClick={() => set({ target: undefined })}
        >
          Only {search.target.replaceAll(/[_-]/g, " ")}
        </Button>
      )}
    </Group>
  );
}

function Row({ entry, open }: { entry: AuditEntry; open: () => void }) {
  return (
    <Table.Tr data-entry={entry.id} data-action={entry.action}>
      <Table.Td>
        <Text size="sm" fw={550}>
          {entry.actor_username}
        </Text>
      </Table.Td>
      <Table.Td data-wide>
        {inWords(entry.action)}
        <Text size="xs" c="dimmed">
          {targetOf(entry)}
        </Text>
      </Table.Td>
      <Table.Td>
        <StatusWord status={entry.result} word={WORDS[entry.result]} tone={TONES[entry.result]} />
      </Table.Td>
      <Table.Td c="dimmed" className="mono">
        {entry.ip_address}
      </Table.Td>
      <Table.Td c="dimmed">
        <When at={entry.created_at} />
      </Table.Td>
      <Table.Td ta="right">
        <Button size="compact-xs" variant="subtle" aria-label={`Details of record ${entry.id}`} onClick={open}>
          Details
        </Button>
      </Table.Td>
    </Table.Tr>
  );
}

interface DetailsProps {
  entry: AuditEntry;
  close: () => void;
  only: (search: AuditSearch) => void;
}

function Details({ entry, close, only }: DetailsProps) {
  const facts: [string, string][] = [
    ["Record", String(entry.id)],
    ["When", exact(entry.created_at)],
    ["Who", entry.actor_username],
    ["By", entry.credential],
    ["From", entry.ip_address || "–"],
    ["Act", entry.action],
    ["On", targetOf(entry) || "–"],
    ["Result", `${WORDS[entry.result]}${entry.status ? `, answered ${entry.status}` : ""}`],
    ...detailLines(entry.details),
  ];
  return (
    <Modal opened onClose={close} title={inWords(entry.action)}>
      <Stack>
        <dl className={classes.facts}>
          {facts.map(([name, value]) => (
            <div key={name} style={{ display: "contents" }}>
              <dt>{name}</dt>
              <dd>{name === "By" || name === "Act" ? <Code>{value}</Code> : value}</dd>
            </div>
          ))}
        </dl>
        <Group gap="xs">
          <Button size="xs" variant="default" onClick={() => only({ action: entry.action })}>
            All such acts
          </Button>
          {entry.actor_id > 0 && (
            <Button size="xs" variant="default" onClick={() => only({ actor: String(entry.actor_id) })}>
              All by {entry.actor_username}
            </Button>
          )}
          {entry.target_type && (
            <Button size="xs" variant="default" onClick={() => only({ target: entry.target_type })}>
              All on any {entry.target_type.replaceAll(/[_-]/g, " ")}
            </Button>
          )}
          <Button ml="auto" onClick={close}>
            Close
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
