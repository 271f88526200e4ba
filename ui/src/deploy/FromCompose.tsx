import { Button, Group, Paper, Stack } from "@mantine/core";
import { IconFileText } from "@tabler/icons-react";
import { useMemo, useRef, useState } from "react";
import type { Driver } from "../api/types";
import { Editor } from "../editor/Editor";
import { ComposeFacts } from "./ComposeFacts";
import { refused, useComposeCheck } from "./compose";
import { DriverChoice } from "./DriverChoice";
import { Form, inside, useDeploy } from "./Form";
import { filledIn, NamedValues } from "./NamedValues";

const EXAMPLE = `services:
  web:
    image: nginx:alpine
    expose: ["80"]
    depends_on: [cache]
  cache:
    image: redis:7-alpine
    volumes: ["data:/data"]
volumes:
  data:
`;

/** A compose document, checked while it is written. */
export function FromCompose() {
  const state = useDeploy();
  const [compose, setCompose] = useState("");
  const [values, setValues] = useState<Record<string, string>>({});
  const [driver, setDriver] = useState<Driver>();
  const [tried, setTried] = useState(false);
  const file = useRef<HTMLInputElement>(null);
  const given = useMemo(() => Object.fromEntries(Object.entries(values).filter(([, value]) => value)), [values]);
  const check = useComposeCheck(compose, given);
  const names = check.said?.variables ?? [];
  const late = refused(state.deploy.error);
  const empty = tried && !compose.trim();
  const violations = empty
    ? [{ path: "", reason: "Write or paste a compose document.", line: null }]
    : check.violations.length
      ? check.violations
      : late;
  return (
    <Form
      wide
      suggestion={check.said?.routed ?? ""}
      state={state}
      ready={() => {
        setTried(true);
        return compose.trim() !== "" && check.violations.length === 0;
      }}
      body={() => ({
        deploy_method: "compose",
        compose,
        variables: filledIn(names, values),
        ...(driver && { driver }),
      })}
      source={
        <>
          <Paper p="md">
            <Stack gap="sm">
              <Editor
                label="Compose document"
                hint="Images and named volumes. Homeport adds the limits, and an https address for the service that visitors reach."
                language="yaml"
                value={compose}
                change={setCompose}
                violations={violations}
              />
              <Group gap="xs">
                <Button
                  size="compact-sm"
                  variant="default"
                  leftSection={<IconFileText size={14} />}
                  onClick={() => file.current?.click()}
                >
                  Open a file
                </Button>
                {!compose.trim() && (
                  <Button size="compact-sm" variant="subtle" onClick={() => setCompose(EXAMPLE)}>
                    Begin with an example
                  </Button>
                )}
                <input
                  ref={file}
                  type="file"
                  hidden
                  accept=".yml,.yaml,text/yaml"
                  aria-label="Compose file"
                  onChange={(event) => {
                    void event.target.files?.[0]?.text().then(setCompose);
                    event.target.value = "";
                  }}
                />
              </Group>
            </Stack>
          </Paper>
          <ComposeFacts check={check} />
        </>
      }
      variables={
        <>
          <NamedValues names={names} values={values} change={setValues} errors={inside(state.fields)} />
          <DriverChoice value={driver} change={setDriver} />
        </>
      }
    />
  );
}
