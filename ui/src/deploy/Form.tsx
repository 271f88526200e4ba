import { Alert, Anchor, Button, Code, Collapse, Group, Paper, Progress, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue, useDisclosure } from "@mantine/hooks";
import { IconChevronRight, IconRocket } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { api } from "../api/calls";
import { type ApiError, upload } from "../api/client";
import { portalQuery } from "../api/queries";
import type { CreateService } from "../api/types";
import { CustomerField } from "../customers/CustomerField";
import { fieldsOf } from "../parts/problems";
import { nameProblem } from "./name";
import { type Row, Variables } from "./Variables";

/** Sends the form, keeps what was typed after an error, and goes to the job. */
export function useDeploy() {
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
  const fields = fieldsOf(deploy.error);
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
  /** Wide enough for an editor. */
  wide?: boolean;
  state: ReturnType<typeof useDeploy>;
}

/** What the ways have in common: name, where it will live, and the button. */
export function Form({ suggestion, source, variables, ready, body, file, wide, state }: FormProps) {
  const { deploy, fields, sent } = state;
  const portal = useQuery(portalQuery).data;
  const [typed, setTyped] = useState<string | null>(null);
  const [tried, setTried] = useState(false);
  const [customer, setCustomer] = useState<string | null>(null);
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
    if (ready() && !problem && !isTaken)
      deploy.mutate({ body: { ...body(), name, ...(customer && { customer_id: customer }) }, file });
  };
  const known = Object.keys(fields).length > 0;
  return (
    <form onSubmit={submit} noValidate aria-label="Deploy">
      <Stack gap="md" maw={wide ? undefined : 680}>
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
            <CustomerField
              description="Its people see the service, and its plan limits what the service may use"
              value={customer}
              change={setCustomer}
              error={fields.customer_id}
            />
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

export function MoreVariables(props: { rows: Row[]; change: (rows: Row[]) => void; errors: Record<string, string> }) {
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

export const asVariables = (rows: Row[]) =>
  Object.fromEntries(rows.filter((row) => row.name).map(({ name, value }) => [name, value]));

/** Problems of single variables: the server names them `variables.NAME`. */
export const inside = (fields: Record<string, string>) =>
  Object.fromEntries(Object.entries(fields).map(([field, why]) => [field.replace(/^variables\./, ""), why]));
