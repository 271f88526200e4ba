import { Alert, Button, Container, Group, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import {
  IconAlertTriangle,
  IconCheck,
  IconClockX,
  IconExternalLink,
  IconServer,
  IconSettings,
} from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "../api/calls";
import { ApiError } from "../api/client";
import { jobQuery, serviceQuery } from "../api/queries";
import type { Job } from "../api/types";
import { LogView } from "../logs/LogView";
import { Address } from "../parts/Address";
import { StatusWord } from "../parts/StatusWord";
import { Empty, Failed, Loading } from "../parts/states";
import { tellProblem } from "../parts/tell";
import { lasted } from "../parts/time";
import { useNow, When } from "../parts/When";
import { useServiceActions } from "../services/actions";
import { useCan } from "../session/session";
import { useJobLog } from "./follow";
import classes from "./JobPage.module.css";
import { StepList } from "./StepList";
import { hintFor, isOver, jobTitle } from "./steps";

const route = getRouteApi("/jobs/$id");

export default function JobPage() {
  const { id } = route.useParams();
  return <Shown key={id} id={id} />;
}

function Shown({ id }: { id: string }) {
  const query = useQuery(jobQuery(id));
  const { data: job } = query;
  useDocumentTitle(`${job ? jobTitle(job) : "Deploy"} · Homeport`);
  if (query.error instanceof ApiError && query.error.status === 404)
    return (
      <Empty
        icon={<IconClockX size={36} stroke={1.3} />}
        title="This deploy is not known"
        action={
          <Button component={Link} to="/services" variant="default">
            Show all services
          </Button>
        }
      >
        Its service may have been deleted.
      </Empty>
    );
  if (query.error) return <Failed error={query.error} what="this deploy" retry={query.refetch} />;
  return job ? <Panel job={job} /> : <Loading rows={8} />;
}

function Panel({ job }: { job: Job }) {
  const { buffer, state } = useJobLog(job.id);
  const [step, setStep] = useState<string>();
  const failedStep = job.steps.find((one) => one.status === "failed")?.name;
  const target = step
    ? `[data-stream="step"][data-step="${step}"]`
    : failedStep && `[data-step="${failedStep}"][data-level="error"]`;
  return (
    <Container size={1180} px={0}>
      <Stack gap="md" className="tall">
        <Head job={job} />
        <Outcome job={job} />
        <div className={classes.grid}>
          <StepList job={job} chosen={step} choose={setStep} />
          <LogView
            buffer={buffer}
            name={`${job.service_name}-${job.id}`}
            live={!isOver(job)}
            target={target}
            empty={state === "connecting" ? "Fetching the log…" : "Nothing written yet."}
          />
        </div>
      </Stack>
    </Container>
  );
}

function Head({ job }: { job: Job }) {
  const client = useQueryClient();
  const can = useCan();
  const now = useNow();
  const cancel = useMutation({
    mutationFn: () => api.cancel(job.id),
    onSuccess: () => client.invalidateQueries({ queryKey: ["job", job.id] }),
    onError: (error) => tellProblem(error, "Could not cancel"),
  });
  const from = Date.parse(job.started_at ?? job.created_at);
  const time = (job.finished_at ? Date.parse(job.finished_at) : now) - from;
  return (
    <Group justify="space-between" align="flex-start" gap="sm">
      <Stack gap={2} miw={0}>
        <Title order={1} aria-live="polite">
          {jobTitle(job)}
        </Title>
        <Group gap={10}>
          <StatusWord
            status={job.status === "running" ? "active" : job.status}
            word={job.status === "running" ? "Running" : undefined}
          />
          <Text size="sm" c="dimmed" className="num">
            {lasted(time)}
          </Text>
          <Text size="sm" c="dimmed">
            <When at={job.created_at} prefix="begun " />
          </Text>
        </Group>
      </Stack>
      <Group gap="xs">
        {!isOver(job) && can("jobs.write") && (
          <Button variant="default" loading={cancel.isPending} onClick={() => cancel.mutate()}>
            Cancel
          </Button>
        )}
        <Button
          variant="default"
          leftSection={<IconServer size={16} />}
          component={Link}
          to={`/services/${job.service_name}`}
        >
          Go to {job.service_name}
        </Button>
      </Group>
    </Group>
  );
}

/** How it ended: where it is live, or why not and what to try. */
function Outcome({ job }: { job: Job }) {
  const service = useQuery({ ...serviceQuery(job.service_name), enabled: job.status === "success" }).data;
  const can = useCan();
  const { redeploy } = useServiceActions();
  const again = can("services.deploy") && (
    <Button
      size="xs"
      variant="default"
      loading={redeploy.isPending}
      onClick={() => redeploy.mutate({ ref: job.service_name })}
    >
      Try again
    </Button>
  );
  if (job.status === "success")
    return (
      <Alert color="teal" variant="light" icon={<IconCheck />} title={`${job.service_name} is live`} role="status">
        <Group justify="space-between" gap="sm">
          {service?.url ? <Address url={service.url} /> : <span />}
          {service?.url && (
            <Button
              size="xs"
              component="a"
              href={service.url}
              target="_blank"
              rel="noreferrer"
              leftSection={<IconExternalLink size={14} />}
            >
              Open
            </Button>
          )}
        </Group>
      </Alert>
    );
  if (job.status === "cancelled")
    return (
      <Alert color="yellow" variant="light" icon={<IconClockX />} title="This deploy was cancelled">
        <Group justify="space-between" gap="sm">
          <Text size="sm">What ran before keeps running.</Text>
          {again}
        </Group>
      </Alert>
    );
  if (job.status !== "failed") return null;
  const hint = hintFor(job.steps.find((step) => step.status === "failed")?.name ?? job.step, job.error);
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle />}
      title={job.error ?? "The deploy failed."}
      role="alert"
    >
      <Group justify="space-between" gap="sm" align="flex-end">
        <Text size="sm" maw={620}>
          {hint}
        </Text>
        <Group gap="xs">
          <Button
            size="xs"
            variant="default"
            leftSection={<IconSettings size={14} />}
            component={Link}
            to={`/services/${job.service_name}/settings`}
          >
            Settings
          </Button>
          {again}
        </Group>
      </Group>
    </Alert>
  );
}
