import { Button, Group, Paper, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { IconBrandGit, IconLock, IconStack2, IconTemplate, IconUpload, IconWand } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { templateQuery } from "../api/queries";
import type { Driver } from "../api/types";
import { Page } from "../parts/Page";
import { Empty, Failed, Loading } from "../parts/states";
import type { Way } from "../router";
import { useCan } from "../session/session";
import { Gallery, Marks, TemplateHead } from "../templates/Gallery";
import { defaults, fieldProblems, TemplateFields } from "../templates/TemplateFields";
import type { Collected } from "./collect";
import { DriverChoice } from "./DriverChoice";
import { Dropzone } from "./Dropzone";
import { takeDropped } from "./dropped";
import { asVariables, Form, inside, MoreVariables, useDeploy } from "./Form";
import { FromAi } from "./FromAi";
import { FromCompose } from "./FromCompose";
import { gitProblem, nameFrom } from "./name";
import { type Row, rowProblems } from "./Variables";

const route = getRouteApi("/deploy");
const WAYS: { value: Way; label: ReactNode }[] = [
  { value: "template", label: <Labelled icon={<IconTemplate size={16} />} text="Template" /> },
  { value: "git", label: <Labelled icon={<IconBrandGit size={16} />} text="Git" /> },
  { value: "upload", label: <Labelled icon={<IconUpload size={16} />} text="Upload" /> },
  { value: "compose", label: <Labelled icon={<IconStack2 size={16} />} text="Compose" /> },
  { value: "ai", label: <Labelled icon={<IconWand size={16} />} text="AI" /> },
];

function Labelled({ icon, text }: { icon: ReactNode; text: string }) {
  return (
    <Group gap={6} wrap="nowrap" justify="center">
      <span className="wide-only" style={{ lineHeight: 0 }}>
        {icon}
      </span>
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
        maw={620}
        fullWidth
      />
      {way === "template" && !template && <Gallery choose={(id) => void navigate({ search: { way, template: id } })} />}
      {way === "template" && template && (
        <FromTemplate key={template} id={template} another={() => void navigate({ search: { way } })} />
      )}
      {way === "git" && <FromGit given={url ?? ""} />}
      {way === "upload" && <FromUpload />}
      {way === "compose" && <FromCompose />}
      {way === "ai" && <FromAi given={url ?? ""} />}
    </Page>
  );
}

function FromTemplate({ id, another }: { id: string; another: () => void }) {
  const template = useQuery(templateQuery(id));
  const state = useDeploy();
  const [values, setValues] = useState<Record<string, string> | null>(null);
  const [driver, setDriver] = useState<Driver>();
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
        ...(driver && { driver }),
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
              <Marks template={template.data} />
            </Stack>
            <Button size="compact-sm" variant="subtle" onClick={another} style={{ flex: "none" }}>
              Choose another
            </Button>
          </Group>
        </Paper>
      }
      variables={
        <>
          <TemplateFields
            variables={variables}
            values={filled}
            change={setValues}
            errors={{ ...shown, ...inside(state.fields) }}
          />
          {template.data.driver === "compose" && <DriverChoice value={driver} change={setDriver} />}
        </>
      }
    />
  );
}

function FromGit({ given }: { given: string }) {
  const state = useDeploy();
  const [url, setUrl] = useState(given);
  const [branch, setBranch] = useState("");
  const [driver, setDriver] = useState<Driver>();
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
        ...(driver && { driver }),
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
            <DriverChoice value={driver} change={setDriver} process />
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
