import { Button, Group, Paper, SimpleGrid, Stack, Text, TextInput, ThemeIcon, Title } from "@mantine/core";
import { IconBrandGit, IconTemplate, IconUpload } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { api } from "../api/calls";
import { templatesQuery } from "../api/queries";
import type { Template } from "../api/types";
import { Empty, Failed, Loading } from "../parts/states";
import { tellProblem } from "../parts/tell";
import { useCan } from "../session/session";
import { Dropzone } from "./Dropzone";
import { keepDropped } from "./dropped";

/** An empty portal: three ways to a first running app. */
export function Begin() {
  const can = useCan();
  if (!can("services.deploy"))
    return (
      <Empty icon={<IconTemplate size={32} stroke={1.4} />} title="Nothing runs here yet">
        When somebody deploys a service, you see it here.
      </Empty>
    );
  return (
    <Stack gap="md">
      <Text c="dimmed" mt={-10}>
        Nothing runs here yet. Begin with one of these; each gets an https address of its own.
      </Text>
      <SimpleGrid cols={{ base: 1, md: 3 }} spacing="md">
        <Card
          icon={<IconTemplate size={20} stroke={1.6} />}
          title="Deploy an example"
          text="Live in a few seconds, with nothing to install."
        >
          <Examples />
        </Card>
        <Card
          icon={<IconUpload size={20} stroke={1.6} />}
          title="Upload a folder"
          text="Python, Node, static files, or anything with a Procfile."
        >
          <UploadWay />
        </Card>
        <Card
          icon={<IconBrandGit size={20} stroke={1.6} />}
          title="Deploy from git"
          text="Homeport fetches, builds and runs a repository."
        >
          <GitWay />
        </Card>
      </SimpleGrid>
    </Stack>
  );
}

function Card(props: { icon: ReactNode; title: string; text: string; children: ReactNode }) {
  return (
    <Paper p="md" component="section" aria-label={props.title}>
      <Stack gap="sm">
        <Group gap="sm" wrap="nowrap">
          <ThemeIcon variant="light" size={36} radius="md">
            {props.icon}
          </ThemeIcon>
          <div>
            <Title order={2} fz="sm">
              {props.title}
            </Title>
            <Text size="xs" c="dimmed">
              {props.text}
            </Text>
          </div>
        </Group>
        {props.children}
      </Stack>
    </Paper>
  );
}

function Examples() {
  const navigate = useNavigate();
  const templates = useQuery(templatesQuery);
  const deploy = useMutation({
    mutationFn: async (template: Template) => {
      const { variables } = await api.template(template.id);
      const asks = variables.some(
        (one) => one.required && one.name !== "SERVICE_NAME" && !one.generated && (one.default ?? "") === "",
      );
      if (asks) return null;
      return api.create(
        { name: template.id, deploy_method: "template", template_id: template.id },
        crypto.randomUUID(),
      );
    },
    onSuccess: (started, template) =>
      started
        ? navigate({ to: "/jobs/$id", params: { id: started.deploy_job_id } })
        : navigate({ to: "/deploy", search: { way: "template", template: template.id } }),
    onError: (error, template) => tellProblem(error, `Could not deploy ${template.name}`),
  });
  if (templates.isPending) return <Loading rows={3} height={34} />;
  if (templates.error) return <Failed error={templates.error} what="the templates" retry={templates.refetch} />;
  return (
    <Stack gap={6}>
      {templates.data.data.slice(0, 4).map((template) => (
        <Group key={template.id} gap="sm" wrap="nowrap">
          <img src={template.logo} alt="" width={26} height={26} style={{ borderRadius: 6 }} />
          <Text size="sm" fw={550} className="cut" flex={1}>
            {template.name}
          </Text>
          <Button
            size="xs"
            variant="light"
            aria-label={`Deploy ${template.name}`}
            loading={deploy.isPending && deploy.variables.id === template.id}
            disabled={deploy.isPending}
            onClick={() => deploy.mutate(template)}
          >
            Deploy
          </Button>
        </Group>
      ))}
    </Stack>
  );
}

function UploadWay() {
  const navigate = useNavigate();
  return (
    <Dropzone
      collected={null}
      change={(collected) => {
        if (!collected) return;
        keepDropped(collected);
        void navigate({ to: "/deploy", search: { way: "upload" } });
      }}
    />
  );
}

function GitWay() {
  const navigate = useNavigate();
  const [url, setUrl] = useState("");
  const go = (event: FormEvent) => {
    event.preventDefault();
    void navigate({ to: "/deploy", search: { way: "git", url: url.trim() || undefined } });
  };
  return (
    <Stack gap="xs" component="form" onSubmit={go}>
      <TextInput
        aria-label="Address of the repository"
        placeholder="https://github.com/you/your-app"
        autoCapitalize="none"
        spellCheck={false}
        value={url}
        onChange={(event) => setUrl(event.currentTarget.value)}
      />
      <Button type="submit" variant="light">
        Deploy from git
      </Button>
    </Stack>
  );
}
