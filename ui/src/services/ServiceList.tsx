import {
  Button,
  Checkbox,
  CloseButton,
  Group,
  Kbd,
  Paper,
  SegmentedControl,
  Select,
  Skeleton,
  Table,
  Text,
  TextInput,
} from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import {
  IconArrowDown,
  IconArrowUp,
  IconPlus,
  IconRocket,
  IconSearch,
  IconSearchOff,
  IconServer,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { servicesQuery } from "../api/queries";
import type { ServiceRow } from "../api/types";
import { EndpointTable } from "../endpoints/EndpointTable";
import { Address } from "../parts/Address";
import { count, cpu, megabytes } from "../parts/numbers";
import { Page } from "../parts/Page";
import { Pages } from "../parts/Pages";
import { StatusWord, serviceStatus } from "../parts/StatusWord";
import { useSettling } from "../parts/settling";
import { Empty, Failed, Loading } from "../parts/states";
import { When } from "../parts/When";
import { useCan } from "../session/session";
import { UnitTable } from "../units/UnitTable";
import { BulkBar } from "./BulkBar";
import { Meter } from "./Meter";
import { RowActions } from "./RowActions";
import classes from "./ServiceList.module.css";
import { Source } from "./Source";
import { type Kind, type ServiceSearch, UNIT_STATUSES } from "./search";

const EndpointDialog = lazy(() =>
  import("../endpoints/EndpointDialog").then((part) => ({ default: part.EndpointDialog })),
);
const OwnTunnels = lazy(() => import("../tunnels/TunnelList").then((part) => ({ default: part.Own })));
const route = getRouteApi("/services");
const PER_PAGE = 25;
const WORDS = ["all", "running", "deploying", "stopped", "failed"];

export default function ServiceList() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/services" });
  const can = useCan();
  const { kind, page = 1, status, sort = "created_at", order = "desc" } = search;
  const services = useQuery({
    ...servicesQuery({
      page,
      per_page: PER_PAGE,
      status: kind ? undefined : status,
      search: search.search,
      sort,
      order,
      type: kind ?? "app",
    }),
    enabled: kind !== "unit" && kind !== "tunnel",
  });
  const [adding, setAdding] = useState(false);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const set = (change: Partial<ServiceSearch>) =>
    void navigate({ search: (before) => ({ ...before, page: undefined, ...change }), replace: !("page" in change) });

  // biome-ignore lint/correctness/useExhaustiveDependencies: another page has other rows
  useEffect(() => setChosen(new Set()), [page, status, search.search, sort, order]);

  const words = kind === "unit" ? ["all", ...UNIT_STATUSES] : WORDS;
  const rows = services.data?.data ?? [];
  const total = services.data?.total ?? 0;
  const pages = Math.max(1, Math.ceil(total / PER_PAGE));
  const filtered = Boolean(status || search.search);
  const add = can("services.deploy") ? () => setAdding(true) : undefined;
  const deploy = can("services.deploy") && (
    <Button leftSection={<IconRocket size={16} />} component={Link} to="/deploy">
      Deploy a service
    </Button>
  );
  const toggle = (name: string) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    setChosen(next);
  };
  const tools = can("services.write");

  const kinds = (
    <SegmentedControl
      size="xs"
      className={classes.kinds}
      aria-label="Kind"
      data={[
        { value: "app", label: "Apps" },
        { value: "unit", label: "Host units" },
        { value: "endpoint", label: "Endpoints" },
        ...(can("tunnels.read") ? [{ value: "tunnel", label: "Tunnels" }] : []),
      ]}
      value={kind ?? "app"}
      onChange={(next) => void navigate({ search: next === "app" ? {} : { kind: next as Kind } })}
    />
  );
  if (kind === "tunnel")
    return (
      <Page title="Services">
        <div>{kinds}</div>
        <Suspense fallback={<Loading rows={4} height={30} />}>
          <OwnTunnels all={false} />
        </Suspense>
      </Page>
    );
  if (kind === "endpoint")
    return (
      <Page
        title="Services"
        actions={
          add &&
          rows.length > 0 && (
            <Button leftSection={<IconPlus size={16} />} onClick={add}>
              Add an endpoint
            </Button>
          )
        }
      >
        <div>{kinds}</div>
        {services.isPending && <Loading rows={4} height={30} />}
        {services.error && <Failed error={services.error} what="the endpoints" retry={services.refetch} />}
        {services.data && <EndpointTable endpoints={rows.filter((row) => row.kind === "endpoint")} add={add} />}
        {adding && (
          <Suspense fallback={null}>
            <EndpointDialog close={() => setAdding(false)} />
          </Suspense>
        )}
      </Page>
    );
  if (services.data && total === 0 && !filtered && !kind)
    return (
      <Page title="Services">
        <div>{kinds}</div>
        <Empty icon={<IconServer size={36} stroke={1.3} />} title="Nothing runs here yet" action={deploy}>
          A service is an app that Homeport runs for you, at an address of its own.
        </Empty>
      </Page>
    );
  return (
    <Page title="Services" actions={kind ? null : deploy}>
      <Group gap="sm">
        {kinds}
        <SearchBox value={search.search ?? ""} change={(text) => set({ search: text || undefined })} />
        <SegmentedControl
          className="wide-only"
          size="xs"
          aria-label="Status"
          data={words.map((word) => ({ value: word, label: word.charAt(0).toUpperCase() + word.slice(1) }))}
          value={status ?? "all"}
          onChange={(word) => set({ status: word === "all" ? undefined : word })}
        />
        <Select
          className="phone-only"
          w={130}
          aria-label="Status"
          data={words.map((word) => ({ value: word, label: word.charAt(0).toUpperCase() + word.slice(1) }))}
          value={status ?? "all"}
          allowDeselect={false}
          onChange={(word) => set({ status: word === "all" ? undefined : (word ?? undefined) })}
        />
        <Text size="sm" c="dimmed" ml="auto" aria-live="polite" className="wide-only num">
          {services.data && !kind && count(total, "service")}
        </Text>
      </Group>
      {kind === "unit" && <UnitTable search={search.search} status={status} />}
      {services.error && !kind && <Failed error={services.error} what="the services" retry={services.refetch} />}
      {services.data && total === 0 && !kind && (
        <Empty
          icon={<IconSearchOff size={32} stroke={1.4} />}
          title="No service matches"
          action={
            <Button variant="default" onClick={() => set({ search: undefined, status: undefined })}>
              Show all
            </Button>
          }
        />
      )}
      {!kind && (services.isPending || rows.length > 0) && (
        <Paper className={classes.box} data-old={services.isPlaceholderData || undefined}>
          <Table className={classes.table} highlightOnHover aria-busy={services.isFetching}>
            <Table.Thead>
              <Table.Tr>
                {tools && (
                  <Table.Th w={40}>
                    <Checkbox
                      size="xs"
                      aria-label="Choose all on this page"
                      checked={rows.length > 0 && chosen.size === rows.length}
                      indeterminate={chosen.size > 0 && chosen.size < rows.length}
                      onChange={() =>
                        setChosen(new Set(chosen.size === rows.length ? [] : rows.map((row) => row.name)))
                      }
                    />
                  </Table.Th>
                )}
                <Sortable by="name" label="Name" {...{ sort, order, set }} />
                <Sortable by="status" label="Status" {...{ sort, order, set }} />
                <Table.Th>Address</Table.Th>
                <Table.Th ta="right">CPU</Table.Th>
                <Table.Th>Memory</Table.Th>
                <Sortable by="updated_at" label="Changed" {...{ sort, order, set }} />
                <Table.Th w={104} />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {services.isPending && <Waiting columns={tools ? 8 : 7} />}
              {rows.map((row) => (
                <Row
                  key={row.id}
                  row={row}
                  tools={tools}
                  chosen={chosen.has(row.name)}
                  toggle={() => toggle(row.name)}
                />
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      {!kind && pages > 1 && (
        <Group justify="space-between">
          <Text size="sm" c="dimmed" className="num">
            {(page - 1) * PER_PAGE + 1}–{Math.min(page * PER_PAGE, total)} of {total.toLocaleString("en")}
          </Text>
          <Pages total={total} perPage={PER_PAGE} page={page} turn={(next) => set({ page: next })} />
        </Group>
      )}
      {chosen.size > 0 && (
        <BulkBar services={rows.filter((row) => chosen.has(row.name))} clear={() => setChosen(new Set())} />
      )}
    </Page>
  );
}

function SearchBox({ value, change }: { value: string; change: (text: string) => void }) {
  const [text, type] = useSettling(value, change, 200);
  const input = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => input.current?.focus()]]);
  return (
    <TextInput
      ref={input}
      className={classes.search}
      placeholder="Search by name"
      aria-label="Search services by name"
      leftSection={<IconSearch size={16} stroke={1.6} />}
      rightSection={
        text ? (
          <CloseButton size="sm" aria-label="Clear the search" onClick={() => type("")} />
        ) : (
          <Kbd size="xs" className="wide-only">
            /
          </Kbd>
        )
      }
      value={text}
      onChange={(event) => type(event.currentTarget.value)}
      onKeyDown={(event) => event.key === "Escape" && type("")}
    />
  );
}

function Sortable(props: {
  by: string;
  label: string;
  sort: string;
  order: string;
  set: (change: Partial<ServiceSearch>) => void;
}) {
  const { by, label, sort, order, set } = props;
  const on = sort === by;
  const first = by === "updated_at" ? "desc" : "asc";
  const next = on ? (order === "asc" ? "desc" : "asc") : first;
  const Arrow = order === "asc" ? IconArrowUp : IconArrowDown;
  return (
    <Table.Th aria-sort={on ? (order === "asc" ? "ascending" : "descending") : "none"}>
      <button type="button" className={classes.sort} onClick={() => set({ sort: by, order: next })}>
        {label}
        <Arrow size={13} style={{ visibility: on ? "visible" : "hidden" }} aria-hidden />
      </button>
    </Table.Th>
  );
}

function Row({ row, tools, chosen, toggle }: { row: ServiceRow; tools: boolean; chosen: boolean; toggle: () => void }) {
  const on = row.status === "running";
  return (
    <Table.Tr data-service={row.name} bg={chosen ? "var(--busy-soft)" : undefined}>
      {tools && (
        <Table.Td data-cell="choose">
          <Checkbox size="xs" aria-label={`Choose ${row.name}`} checked={chosen} onChange={toggle} />
        </Table.Td>
      )}
      <Table.Td data-cell="name">
        <Link to="/services/$ref" params={{ ref: row.name }} className={classes.name}>
          {row.name}
        </Link>
        <Source service={row} />
      </Table.Td>
      <Table.Td data-cell="status">
        {row.deploy_job_id ? (
          <Link to="/jobs/$id" params={{ id: row.deploy_job_id }} className="plain-link">
            <StatusWord status="deploying" />
          </Link>
        ) : (
          <StatusWord status={serviceStatus(row)} />
        )}
      </Table.Td>
      <Table.Td data-cell="address">{row.url && row.kind !== "endpoint" && <Address url={row.url} />}</Table.Td>
      <Table.Td data-cell="cpu" ta="right" className="num">
        {on ? (
          cpu(row.resources.cpu_usage)
        ) : (
          <Text span c="dimmed">
            –
          </Text>
        )}
      </Table.Td>
      <Table.Td data-cell="memory">
        {on ? (
          <Meter value={row.resources.memory_usage_mb} limit={row.resources.memory_limit_mb} text={megabytes} />
        ) : (
          <Text span c="dimmed">
            –
          </Text>
        )}
      </Table.Td>
      <Table.Td data-cell="changed" c="dimmed">
        <When at={row.updated_at} />
      </Table.Td>
      <Table.Td data-cell="actions">
        <RowActions service={row} />
      </Table.Td>
    </Table.Tr>
  );
}

function Waiting({ columns }: { columns: number }) {
  return Array.from({ length: 6 }, (_, row) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the bars are all the same
    <Table.Tr key={row}>
      <Table.Td colSpan={columns}>
        <Skeleton height={24} width={`${92 - row * 6}%`} />
      </Table.Td>
    </Table.Tr>
  ));
}
