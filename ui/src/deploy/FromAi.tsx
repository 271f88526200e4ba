import { Alert, Button, Group, Loader, Paper, Stack, Text, TextInput } from "@mantine/core";
import { IconArrowLeft, IconListSearch } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { api } from "../api/calls";
import type { Analysis, Driver } from "../api/types";
import { Editor } from "../editor/Editor";
import { ComposeFacts } from "./ComposeFacts";
import { refused, useComposeCheck } from "./compose";
import { DriverChoice } from "./DriverChoice";
import { Findings } from "./Findings";
import { Form, inside, useDeploy } from "./Form";
import { filledIn, NamedValues } from "./NamedValues";
import { gitProblem, nameFrom } from "./name";

interface Source {
  ai_url: string;
  git_branch?: string;
}

/** Looks at a repository, explains how it would be run, and deploys what the person made of that. */
export function FromAi({ given }: { given: string }) {
  const [url, setUrl] = useState(given);
  const [branch, setBranch] = useState("");
  const [tried, setTried] = useState(false);
  const stop = useRef<AbortController>(null);
  const preview = useMutation({
    mutationFn: (source: Source) => {
      stop.current = new AbortController();
      return api.preview(source, stop.current.signal);
    },
  });
  useEffect(() => () => stop.current?.abort(), []);
  const problem = gitProblem(url.trim());
  const look = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!problem) preview.mutate({ ai_url: url.trim(), ...(branch.trim() && { git_branch: branch.trim() }) });
  };
  if (preview.data && preview.variables)
    return <Understood source={preview.variables} analysis={preview.data.analysis} back={() => preview.reset()} />;
  return (
    <form onSubmit={look} noValidate aria-label="Look at a repository">
      <Paper p="md" maw={680}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            Homeport reads the repository, says what it found and why, and writes what is needed to run it. You see and
            edit everything before anything is deployed.
          </Text>
          <TextInput
            label="Repository"
            description="Its https:// address"
            placeholder="https://github.com/you/your-app"
            autoFocus={!given}
            autoCapitalize="none"
            spellCheck={false}
            value={url}
            error={(tried || url.length > 8) && problem}
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
            onChange={(event) => setBranch(event.currentTarget.value)}
          />
          {preview.error && preview.error.name !== "AbortError" && (
            <Alert color="red" p="sm" role="alert" title="The repository could not be read">
              {preview.error.message}
            </Alert>
          )}
          <Group gap="sm">
            <Button type="submit" leftSection={<IconListSearch size={18} />} disabled={preview.isPending}>
              Look at it
            </Button>
            {preview.isPending && (
              <>
                <Loader size="sm" aria-hidden />
                <Text size="sm" c="dimmed" role="status">
                  Fetching and reading…
                </Text>
                <Button variant="default" size="xs" onClick={() => stop.current?.abort()}>
                  Cancel
                </Button>
              </>
            )}
          </Group>
        </Stack>
      </Paper>
    </form>
  );
}

function Understood({ source, analysis, back }: { source: Source; analysis: Analysis; back: () => void }) {
  const state = useDeploy();
  const [compose, setCompose] = useState(analysis.compose);
  const [dockerfile, setDockerfile] = useState(analysis.dockerfile ?? "");
  const [driver, setDriver] = useState<Driver>();
  const known = new Map(analysis.variables.map((one) => [one.name, one]));
  const [values, setValues] = useState<Record<string, string>>(() =>
    Object.fromEntries(analysis.variables.map(({ name, value }) => [name, value ?? ""])),
  );
  // What is left empty is made at the deploy: any word stands for it here.
  const given = useMemo(
    () => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value || "generated"])),
    [values],
  );
  const check = useComposeCheck(compose, given);
  // A build inside the clone is what this way is for; the check reads the document as if it came alone.
  const violations = check.violations.filter(({ path }) => !/\.build(\.|$)/.test(path));
  const late = refused(state.deploy.error);
  const names = [...new Set([...known.keys(), ...(check.said?.variables ?? [])])];
  const hints = Object.fromEntries(
    analysis.variables.filter((one) => one.generated).map(({ name }) => [name, "Leave empty to have one made"]),
  );
  return (
    <Form
      wide
      suggestion={nameFrom(source.ai_url)}
      state={state}
      ready={() => compose.trim() !== "" && violations.length === 0}
      body={() => ({
        deploy_method: "ai",
        ...source,
        result: { compose, dockerfile: dockerfile.trim() ? dockerfile : null },
        variables: filledIn(names, values),
        ...(driver && { driver }),
      })}
      source={
        <>
          <Group justify="space-between" gap="xs">
            <Text size="sm" className="mono cut">
              {source.ai_url}
              {source.git_branch && ` (${source.git_branch})`}
            </Text>
            <Button size="compact-sm" variant="subtle" leftSection={<IconArrowLeft size={14} />} onClick={back}>
              Another repository
            </Button>
          </Group>
          <Findings analysis={analysis} />
          <Paper p="md">
            <Stack gap="md">
              {analysis.dockerfile !== null && (
                <Editor
                  label="Dockerfile"
                  hint="How the image is built. Edit what you know better."
                  language="dockerfile"
                  value={dockerfile}
                  change={setDockerfile}
                />
              )}
              <Editor
                label="Compose document"
                hint="What runs beside it."
                language="yaml"
                value={compose}
                change={setCompose}
                violations={violations.length ? violations : late}
              />
            </Stack>
          </Paper>
          <ComposeFacts
            check={{
              ...check,
              violations,
              said: check.said && { ...check.said, violations, ok: violations.length === 0 },
            }}
          />
        </>
      }
      variables={
        <>
          <NamedValues
            names={names}
            values={values}
            change={setValues}
            hints={hints}
            secret={(name) => known.get(name)?.secret ?? false}
            errors={inside(state.fields)}
          />
          <DriverChoice value={driver} change={setDriver} />
        </>
      }
    />
  );
}
