import { Alert, Group, NumberInput, Paper, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { api } from "../api/calls";
import { ApiError } from "../api/client";
import { serviceQuery, variablesQuery } from "../api/queries";
import type { Probe, ServiceDetail, Variable } from "../api/types";
import { newRow, type Row, rowProblems, Variables } from "../deploy/Variables";
import { DangerZone } from "../parts/DangerZone";
import { Section } from "../parts/Page";
import { Failed, Loading } from "../parts/states";
import { useCan } from "../session/session";
import { ComposeText } from "./ComposeText";
import { changes } from "./changes";
import { Domains } from "./Domains";
import { Save, useSave } from "./Save";

const route = getRouteApi("/services/$ref");

export default function Settings() {
  const { ref } = route.useParams();
  const { data: service } = useQuery(serviceQuery(ref));
  const can = useCan();
  if (!service) return null;
  const disabled = !can("services.write");
  return (
    <Stack gap="xl" maw={820}>
      {disabled && (
        <Alert variant="light" color="gray" p="xs">
          You can look at these settings, not change them.
        </Alert>
      )}
      <VariablesPart service={service} disabled={disabled} />
      {service.deploy_method === "compose" && <ComposeText service={service} disabled={disabled} />}
      {service.deploy_method === "git" && <BranchPart service={service} disabled={disabled} />}
      <LimitsPart service={service} disabled={disabled} />
      <ProbePart service={service} disabled={disabled} />
      <Domains service={service.name} disabled={disabled} />
      {!disabled && <Danger service={service} />}
    </Stack>
  );
}

interface Part {
  service: ServiceDetail;
  disabled: boolean;
}

const MASK = /^•+$/;
const asRows = (variables: Variable[]): Row[] =>
  variables.map(({ name, value, secret, generated }) => ({
    ...newRow(name, value),
    known: true,
    secret,
    generated,
    masked: MASK.test(value),
  }));

function VariablesPart({ service, disabled }: Part) {
  const variables = useQuery(variablesQuery(service.name));
  const can = useCan();
  const [before, setBefore] = useState<Row[]>([]);
  const [rows, setRows] = useState<Row[]>([]);
  const save = useSave(service, "Variables");
  useEffect(() => {
    if (!variables.data) return;
    const fresh = asRows(variables.data.data);
    setBefore(fresh);
    setRows(fresh);
  }, [variables.data]);
  const reveal = useMutation({
    mutationFn: () => api.variables(service.name, true),
    onSuccess: ({ data }) => {
      const values = new Map(data.map((one) => [one.name, one.value]));
      const shown = (row: Row) =>
        row.masked && values.has(row.name) ? { ...row, value: values.get(row.name) ?? "", masked: false } : row;
      setBefore((all) => all.map(shown));
      setRows((all) => all.map(shown));
    },
  });
  const changed = changes(before, rows);
  const dirty = Object.keys(changed).length > 0 || rows.some((row) => !row.known && (row.name || row.value));
  const fields = save.error instanceof ApiError ? save.error.fields : {};
  return (
    <Section
      title="Variables"
      hint={
        <Text size="xs" c="dimmed">
          Given to the app when it starts. Secrets are kept sealed.
        </Text>
      }
    >
      <Paper p="md">
        {variables.isPending && <Loading rows={3} height={30} />}
        {variables.error && <Failed error={variables.error} what="the variables" retry={variables.refetch} />}
        {variables.data && (
          <>
            {rows.length === 0 && (
              <Text size="sm" c="dimmed" mb="xs">
                No variables yet.
              </Text>
            )}
            <Variables
              rows={rows}
              change={setRows}
              disabled={disabled}
              reveal={can("services.secrets") ? () => reveal.mutate() : undefined}
              errors={Object.fromEntries(
                Object.entries(fields).map(([field, why]) => [field.replace(/^variables\./, ""), why]),
              )}
            />
            {reveal.error && (
              <Text size="xs" c="red" role="alert">
                {reveal.error.message}
              </Text>
            )}
            <Save
              changed={dirty}
              save={save}
              run={() => Object.keys(rowProblems(rows)).length === 0 && save.mutate({ variables: changed })}
              undo={() => setRows(before)}
            />
          </>
        )}
      </Paper>
    </Section>
  );
}

function BranchPart({ service, disabled }: Part) {
  const [branch, setBranch] = useState(service.git_branch ?? "");
  const save = useSave(service, "Branch");
  return (
    <Section title="Source">
      <Paper p="md">
        <Stack gap="sm">
          <TextInput label="Repository" value={service.git_url ?? ""} readOnly variant="filled" />
          <TextInput
            label="Branch"
            description="What the next redeploy fetches"
            maw={300}
            readOnly={disabled}
            value={branch}
            onChange={(event) => setBranch(event.currentTarget.value)}
          />
        </Stack>
        <Save
          changed={branch !== (service.git_branch ?? "")}
          save={save}
          run={() => save.mutate({ git_branch: branch })}
          undo={() => setBranch(service.git_branch ?? "")}
        />
      </Paper>
    </Section>
  );
}

function LimitsPart({ service, disabled }: Part) {
  const { memory_limit_mb, cpu_limit } = service.resources;
  const [memory, setMemory] = useState<number | string>(memory_limit_mb);
  const [cores, setCores] = useState<number | string>(cpu_limit);
  const save = useSave(service, "Limits");
  const changed = Number(memory) !== memory_limit_mb || Number(cores) !== cpu_limit;
  return (
    <Section
      title="Limits"
      hint={
        <Text size="xs" c="dimmed">
          What the app may use at most
        </Text>
      }
    >
      <Paper p="md">
        <Group gap="md" align="flex-start">
          <NumberInput
            label="Memory"
            suffix=" MB"
            min={16}
            step={64}
            allowDecimal={false}
            w={160}
            readOnly={disabled}
            value={memory}
            error={Number(memory) < 16 && "At least 16 MB"}
            onChange={setMemory}
          />
          <NumberInput
            label="CPU, in cores"
            min={0.1}
            step={0.25}
            decimalScale={2}
            w={160}
            readOnly={disabled}
            value={cores}
            error={!(Number(cores) > 0) && "More than 0"}
            onChange={setCores}
          />
        </Group>
        <Save
          changed={changed}
          save={save}
          run={() => save.mutate({ resources: { memory_limit_mb: Number(memory), cpu_limit: Number(cores) } })}
          undo={() => {
            setMemory(memory_limit_mb);
            setCores(cpu_limit);
          }}
        />
      </Paper>
    </Section>
  );
}

const asCommand = (command: Probe["command"]) => (Array.isArray(command) ? command.join(" ") : (command ?? ""));
const START: Probe = { type: "tcp", path: "/", interval: 30, timeout: 5, failures: 3 };

function ProbePart({ service, disabled }: Part) {
  const was = service.probe ?? START;
  const [probe, setProbe] = useState(was);
  const [command, setCommand] = useState(asCommand(was.command));
  const save = useSave(service, "Health check");
  const words = command.trim().split(/\s+/).filter(Boolean);
  const next = { ...probe, ...(probe.type === "command" ? { command: words } : {}) };
  const changed = JSON.stringify(probe) !== JSON.stringify(was) || command !== asCommand(was.command);
  const problem =
    probe.type === "http" && !/^\/\S*$/.test(probe.path ?? "")
      ? "Begin with /, without spaces."
      : probe.type === "command" && !words.length
        ? "Give a command."
        : null;
  return (
    <Section
      title="Health check"
      hint={
        <Text size="xs" c="dimmed">
          How Homeport tells whether the app is well
        </Text>
      }
    >
      <Paper p="md">
        <Stack gap="sm">
          <SegmentedControl
            aria-label="Kind of check"
            maw={360}
            disabled={disabled}
            value={probe.type}
            onChange={(type) => setProbe({ ...probe, type: type as Probe["type"] })}
            data={[
              { value: "http", label: "HTTP request" },
              { value: "tcp", label: "Open port" },
              { value: "command", label: "Command" },
            ]}
          />
          {probe.type === "http" && (
            <TextInput
              label="Path"
              description="Must answer with a status below 400"
              maw={360}
              readOnly={disabled}
              value={probe.path ?? ""}
              error={problem}
              onChange={(event) => setProbe({ ...probe, path: event.currentTarget.value })}
            />
          )}
          {probe.type === "command" && (
            <TextInput
              label="Command"
              description="Run in the app's folder; well when it ends with 0"
              readOnly={disabled}
              value={command}
              error={problem}
              onChange={(event) => setCommand(event.currentTarget.value)}
            />
          )}
          <Group gap="md">
            <NumberInput
              label="Every"
              suffix=" s"
              min={1}
              max={3600}
              w={130}
              readOnly={disabled}
              value={probe.interval ?? 30}
              onChange={(value) => setProbe({ ...probe, interval: Number(value) })}
            />
            <NumberInput
              label="Give up after"
              suffix=" s"
              min={0.1}
              max={60}
              w={130}
              readOnly={disabled}
              value={probe.timeout ?? 5}
              onChange={(value) => setProbe({ ...probe, timeout: Number(value) })}
            />
            <NumberInput
              label="Unhealthy after"
              suffix=" failures"
              min={1}
              max={20}
              allowDecimal={false}
              w={130}
              readOnly={disabled}
              value={probe.failures}
              onChange={(value) => setProbe({ ...probe, failures: Number(value) })}
            />
          </Group>
        </Stack>
        <Save
          changed={changed}
          save={save}
          run={() => !problem && save.mutate({ probe: next })}
          undo={() => {
            setProbe(was);
            setCommand(asCommand(was.command));
          }}
        />
      </Paper>
    </Section>
  );
}

function Danger({ service }: { service: ServiceDetail }) {
  const navigate = useNavigate();
  return (
    <DangerZone
      what="service"
      name={service.name}
      lost="Stops it and deletes its releases, its data and its logs. This cannot be undone."
      remove={() => api.remove(service.name)}
      leave={() => navigate({ to: "/services" })}
      forget={["service", service.name]}
      list={["services"]}
    />
  );
}
