import {
  Alert,
  Anchor,
  Button,
  Code,
  Collapse,
  Group,
  Paper,
  Progress,
  SegmentedControl,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { IconBrandGit, IconChevronRight, IconLock, IconRocket, IconTemplate, IconUpload } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { api } from "../api/calls";
import { ApiError, upload } from "../api/client";
import { portalQuery, templateQuery } from "../api/queries";
import type { CreateService } from "../api/types";
import { Page } from "../parts/Page";
import { Empty, Failed, Loading } from "../parts/states";
import type { Way } from "../router";
import { useCan } from "../session/session";
import { Gallery, TemplateHead } from "../templates/Gallery";
import { defaults, fieldProblems, TemplateFields } from "../templates/TemplateFields";
import type { Collected } from "./collect";
import { Dropzone } from "./Dropzone";
import { takeDropped } from "./dropped";
import { gitProblem, nameFrom, nameProblem } from "./name";
import { type Row, rowProblems, Variables } from "./Variables";

const route = getRouteApi("/deploy");
const WAYS: { value: Way; label: ReactNode }[] = [
  { value: "template", label: <Labelled icon={<IconTemplate size={16} />} text="Template" /> },
  { value: "git", label: <Labelled icon={<IconBrandGit size={16} />} text="Git" /> },
  { value: "upload", label: <Labelled icon={<IconUpload size={16} />} text="Upload" /> },
];

function Labelled({ icon, text }: { icon: ReactNode; text: string }) {
  return (
    <Group gap={6} wrap="nowrap" justify="center">
      {icon}
      {text}
    </Group>
  );
}

export default function Deploy() {
  const { way = "template", template, url } = route.useSearch();
  const navigate = useNavigate({ from: "/deploy" });
  const can = useCan();
  if (!can("services.deploy"))
    return (
      <Page title="Deploy a service">
        <Empty icon={<IconLock size={32} stroke={1.4} />} title="You can look, but not deploy">
          Ask an administrator of this portal.
        </Empty>
      </Page>
    );
  return (
    <Page title="Deploy a service" size={960}>
      <SegmentedControl
        aria-label="Where from"
        data={WAYS}
        value={way}
        onChange={(next) => void navigate({ search: { way: next as Way } })}
        maw={420}
        fullWidth
      />
      {way === "template" && !template && <Gallery choose={(id) => void navigate({ search: { way, template: id } })} />}
      {way === "template" && template && (
        <FromTemplate key={template} id={template} another={() => void navigate({ search: { way } })} />
      )}
      {way === "git" && <FromGit given={url ?? ""} />}
      {way === "upload" && <FromUpload />}
    </Page>
  );
}

/** Sends the form, keeps what was typed after an error, and goes to the job. */
function useDeploy() {
  const navigate = useNavigate();
  const key = useRef(crypto.randomUUID());
  const [sent, setSent] = useState<number | null>(null);
  const deploy = useMutation({
    mutationFn: async ({ body, file }: { body: CreateService; file?: Blob }) => {
      if (file) {
        setSent(0);
        body.upload_id = (await upload<{ id: string }>("/api/uploads", file, setSent)).id;
      }
      return api.create(body, key.current);
    },
    onSuccess: (started) => navigate({ to: "/jobs/$id", params: { id: started.deploy_job_id } }),
    onError: () => {
      key.current = crypto.randomUUID();
      setSent(null);
    },
  });
  const fields = deploy.error instanceof ApiError ? deploy.error.fields : {};
  return { deploy, fields, sent };
}

interface FormProps {
  suggestion: string;
  source: ReactNode;
  variables: ReactNode;
  /** Everything but the name is fine; otherwise all problems are shown. */
  ready: () => boolean;
  body: () => Omit<CreateService, "name">;
  file?: Blob;
  state: ReturnType<typeof useDeploy>;
}

/** What the three ways have in common: name, where it will live, and the button. */
function Form({ suggestion, source, variables, ready, body, file, state }: FormProps) {
  const { deploy, fields, sent } = state;
  const portal = useQuery(portalQuery).data;
  const [typed, setTyped] = useState<string | null>(null);
  const [tried, setTried] = useState(false);
  const name = typed ?? suggestion;
  const [settled] = useDebouncedValue(name, 300);
  const problem = nameProblem(name);
  const taken = useQuery({
    queryKey: ["name", settled],
    queryFn: () =>
      api.service(settled).then(
        () => true,
        (error: ApiError) => (error.status === 404 ? false : Promise.reject(error)),
      ),
    enabled: nameProblem(settled) === null,
    staleTime: 5000,
    retry: false,
  });
  const isTaken = settled === name && taken.data === true;
  const error =
    (typed !== null || tried || name) &&
    (problem ?? (isTaken ? "A service of this name exists already." : fields.name));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (ready() && !problem && !isTaken) deploy.mutate({ body: { ...body(), name }, file });
  };
  const known = Object.keys(fields).length > 0;
  return (
    <form onSubmit={submit} noValidate aria-label="Deploy">
      <Stack gap="md" maw={680}>
        {source}
        <Paper p="md">
          <Stack gap="sm">
            <TextInput
              label="Name"
              description="Small letters, digits and hyphens; it becomes the address."
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              value={name}
              error={error || undefined}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
            {portal && !problem && !isTaken && (
              <Text size="sm" c="dimmed">
                It will live at{" "}
                <Code>{`https://${name}.${portal.app_domain}${portal.port === 443 ? "" : `:${portal.port}`}`}</Code>
              </Text>
            )}
            {variables}
          </Stack>
        </Paper>
        {deploy.error && (
          <Alert color="red" variant="light" p="sm" role="alert" title="Not deployed">
            <Text size="sm">
              {known
                ? Object.entries(fields)
                    .map(([field, why]) => `${field}: ${why}`)
                    .join("\n")
                : deploy.error.message}
            </Text>
          </Alert>
        )}
        {sent !== null && deploy.isPending && (
          <div>
            <Text size="xs" c="dimmed" mb={4}>
              {sent < 1 ? `Sending: ${Math.round(sent * 100)} %` : "Sent. Starting the deploy…"}
            </Text>
            <Progress value={sent * 100} animated={sent >= 1} aria-label="Sent" />
          </div>
        )}
        <Group>
          <Button type="submit" size="md" leftSection={<IconRocket size={18} />} loading={deploy.isPending}>
            Deploy
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function FromTemplate({ id, another }: { id: string; another: () => void }) {
  const template = useQuery(templateQuery(id));
  const state = useDeploy();
  const [values, setValues] = useState<Record<string, string> | null>(null);
  const [tried, setTried] = useState(false);
  if (template.isPending) return <Loading rows={4} height={36} />;
  if (template.error) return <Failed error={template.error} what={`the template ${id}`} retry={template.refetch} />;
  // The name is the field above; the template's own variable for it would ask twice.
  const variables = (template.data.variables ?? []).filter((one) => one.name !== "SERVICE_NAME");
  const filled = values ?? defaults(variables);
  const problems = fieldProblems(variables, filled);
  const shown = tried ? problems : Object.fromEntries(Object.entries(problems).filter(([name]) => filled[name]));
  return (
    <Form
      suggestion={id}
      state={state}
      ready={() => {
        setTried(true);
        return Object.keys(problems).length === 0;
      }}
      body={() => ({
        deploy_method: "template",
        template_id: id,
        variables: Object.fromEntries(Object.entries(filled).filter(([, value]) => value !== "")),
      })}
      source={
        <Paper p="md">
          <Group justify="space-between" wrap="nowrap" align="flex-start">
            <Stack gap={8}>
              <TemplateHead template={template.data} />
              <Text size="sm" c="dimmed">
                {template.data.description}
              </Text>
            </Stack>
            <Button size="compact-sm" variant="subtle" onClick={another} style={{ flex: "none" }}>
              Choose another
            </Button>
          </Group>
        </Paper>
      }
      variables={
        <TemplateFields
          variables={variables}
          values={filled}
          change={setValues}
          errors={{ ...shown, ...inside(state.fields) }}
        />
      }
    />
  );
}

function FromGit({ given }: { given: string }) {
  const state = useDeploy();
  const [url, setUrl] = useState(given);
  const [branch, setBranch] = useState("");
  const [tried, setTried] = useState(false);
  const [rows, setRows] = useState<Row[]>([]);
  const problem = gitProblem(url.trim());
  return (
    <Form
      suggestion={problem ? "" : nameFrom(url.trim())}
      state={state}
      ready={() => {
        setTried(true);
        return !problem && Object.keys(rowProblems(rows)).length === 0;
      }}
      body={() => ({
        deploy_method: "git",
        git_url: url.trim(),
        ...(branch.trim() && { git_branch: branch.trim() }),
        variables: asVariables(rows),
      })}
      source={
        <Paper p="md">
          <Stack gap="sm">
            <TextInput
              label="Repository"
              description="Its https:// address. Homeport finds out what it is: Procfile, Python, Node or static files."
              placeholder="https://github.com/you/your-app"
              autoFocus={!given}
              autoCapitalize="none"
              spellCheck={false}
              value={url}
              error={(tried || url.length > 8) && (problem ?? state.fields.git_url)}
              onChange={(event) => setUrl(event.currentTarget.value)}
            />
            <TextInput
              label="Branch"
              description="Leave empty for the repository's own default."
              placeholder="main"
              maw={280}
              autoCapitalize="none"
              spellCheck={false}
              value={branch}
              error={state.fields.git_branch}
              onChange={(event) => setBranch(event.currentTarget.value)}
            />
          </Stack>
        </Paper>
      }
      variables={<MoreVariables rows={rows} change={setRows} errors={inside(state.fields)} />}
    />
  );
}

function FromUpload() {
  const state = useDeploy();
  const [collected, setCollected] = useState<Collected | null>(takeDropped);
  const [rows, setRows] = useState<Row[]>([]);
  const [tried, setTried] = useState(false);
  return (
    <Form
      suggestion={collected ? nameFrom(collected.name) : ""}
      state={state}
      file={collected?.file}
      ready={() => {
        setTried(true);
        return collected !== null && Object.keys(rowProblems(rows)).length === 0;
      }}
      body={() => ({ deploy_method: "upload", variables: asVariables(rows) })}
      source={
        <div>
          <Dropzone collected={collected} change={setCollected} />
          {tried && !collected && (
            <Text size="xs" c="red" mt={6} role="alert">
              Choose what to deploy.
            </Text>
          )}
        </div>
      }
      variables={<MoreVariables rows={rows} change={setRows} errors={inside(state.fields)} />}
    />
  );
}

function MoreVariables(props: { rows: Row[]; change: (rows: Row[]) => void; errors: Record<string, string> }) {
  const [opened, { toggle, open }] = useDisclosure(props.rows.length > 0);
  const troubled = Object.keys(props.errors).length > 0;
  useEffect(() => {
    if (troubled) open();
  }, [troubled, open]);
  return (
    <div>
      <Anchor component="button" type="button" size="sm" onClick={toggle} aria-expanded={opened}>
        <Group gap={4} wrap="nowrap">
          <IconChevronRight size={15} style={{ transform: opened ? "rotate(90deg)" : undefined }} aria-hidden />
          Variables{props.rows.length > 0 && ` (${props.rows.length})`}
        </Group>
      </Anchor>
      <Collapse expanded={opened}>
        <div style={{ paddingTop: 10 }}>
          <Variables {...props} />
        </div>
      </Collapse>
    </div>
  );
}

const asVariables = (rows: Row[]) =>
  Object.fromEntries(rows.filter((row) => row.name).map(({ name, value }) => [name, value]));

/** Problems of single variables: the server names them `variables.NAME`. */
const inside = (fields: Record<string, string>) =>
  Object.fromEntries(Object.entries(fields).map(([field, why]) => [field.replace(/^variables\./, ""), why]));
