import { Button, Group, Modal, NumberInput, Select, Stack, Switch, TagsInput, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "../api/calls";
import { serviceQuery } from "../api/queries";
import type { Endpoint, ServiceDetail } from "../api/types";
import { nameProblem } from "../deploy/name";
import { fieldsOf, Refused } from "../parts/problems";
import { tell } from "../parts/tell";
import { hostProblem, PLUGINS, portProblem } from "./plugins";

const NEW: Endpoint = {
  name: "",
  display_name: "",
  description: "",
  plugin: "https",
  host: "",
  port: 443,
  path: "/",
  icon: null,
  category: "",
  enabled: true,
  scopes: [],
};

/** What the dialog edits, of an endpoint that exists. */
const endpointOf = (service: ServiceDetail): Endpoint => ({
  name: service.name,
  display_name: service.display_name ?? "",
  description: service.description ?? "",
  plugin: service.plugin ?? "tcp",
  host: service.host ?? service.hostname ?? "",
  port: service.port ?? 0,
  path: service.path ?? "",
  icon: service.icon,
  category: service.category ?? "",
  enabled: service.enabled,
  scopes: service.required_scopes ?? service.scopes ?? [],
});

/** A new endpoint, or the changes to one. */
export function EndpointDialog({ endpoint, close }: { endpoint?: ServiceDetail; close: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [draft, setDraft] = useState<Endpoint>(() => (endpoint ? endpointOf(endpoint) : NEW));
  const [tried, setTried] = useState(false);
  const set = (change: Partial<Endpoint>) => setDraft((before) => ({ ...before, ...change }));
  const web = draft.plugin === "http" || draft.plugin === "https";
  const save = useMutation({
    mutationFn: () => {
      const { name, ...rest } = draft;
      const body = { ...rest, path: web ? draft.path || "/" : null, category: draft.category ?? "" };
      return endpoint ? api.changeEndpoint(endpoint.name, body) : api.addEndpoint({ ...body, name });
    },
    onSuccess: async (saved) => {
      tell(endpoint ? `${saved.name} was changed.` : `${saved.name} was added.`);
      close();
      await client.invalidateQueries({ queryKey: ["services"] });
      await client.invalidateQueries(serviceQuery(saved.name));
      await client.invalidateQueries({ queryKey: ["health", saved.name] });
      if (!endpoint) await navigate({ to: "/services/$ref", params: { ref: saved.name } });
    },
  });
  const fields = fieldsOf(save.error);
  const problems = {
    name: endpoint ? null : nameProblem(draft.name),
    host: hostProblem(draft.host.trim()),
    port: portProblem(draft.port),
    path: web && draft.path && !/^\/\S*$/.test(draft.path) ? "Begin with /, without spaces." : null,
  };
  const shown = (name: keyof typeof problems, typed: boolean) =>
    ((tried || typed) && problems[name]) || fields[name] || undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.values(problems).every((one) => one === null)) save.mutate();
  };
  return (
    <Modal opened onClose={close} size="lg" title={endpoint ? `Change ${endpoint.name}` : "Add an endpoint"}>
      <form onSubmit={submit} noValidate>
        <Stack>
          <Refused error={save.error} />
          <Group align="flex-start" grow>
            <TextInput
              label="Name"
              description="Small letters, digits and hyphens"
              data-autofocus={endpoint ? undefined : true}
              readOnly={Boolean(endpoint)}
              variant={endpoint ? "filled" : "default"}
              autoCapitalize="none"
              spellCheck={false}
              value={draft.name}
              error={shown("name", draft.name.length > 0)}
              onChange={(event) => set({ name: event.currentTarget.value })}
            />
            <TextInput
              label="Title"
              description="What people read"
              value={draft.display_name ?? ""}
              onChange={(event) => set({ display_name: event.currentTarget.value })}
            />
          </Group>
          <Select
            label="What it is"
            allowDeselect={false}
            data={
              PLUGINS.some((one) => one.value === draft.plugin)
                ? PLUGINS
                : [...PLUGINS, { value: draft.plugin, label: draft.plugin }]
            }
            value={draft.plugin}
            error={fields.plugin}
            onChange={(value) => {
              const plugin = PLUGINS.find((one) => one.value === value);
              const usual = PLUGINS.some((one) => one.port === Number(draft.port));
              if (plugin) set({ plugin: plugin.value, ...(usual && plugin.port && { port: plugin.port }) });
            }}
          />
          <Group align="flex-start" gap="sm">
            <TextInput
              flex={1}
              miw={180}
              label="Host"
              description="As this portal reaches it"
              placeholder="nas.lan"
              autoCapitalize="none"
              spellCheck={false}
              value={draft.host}
              error={shown("host", draft.host.length > 3)}
              onChange={(event) => set({ host: event.currentTarget.value })}
            />
            <NumberInput
              w={120}
              label="Port"
              description="1 to 65535"
              hideControls
              allowDecimal={false}
              value={draft.port || ""}
              error={shown("port", false)}
              onChange={(value) => set({ port: Number(value) })}
            />
          </Group>
          {web && (
            <TextInput
              label="Path"
              value={draft.path ?? ""}
              error={shown("path", true)}
              onChange={(event) => set({ path: event.currentTarget.value })}
            />
          )}
          <TextInput
            label="Description"
            value={draft.description ?? ""}
            onChange={(event) => set({ description: event.currentTarget.value })}
          />
          <Group align="flex-start" grow>
            <TextInput
              label="Category"
              placeholder="media, home, work…"
              value={draft.category ?? ""}
              onChange={(event) => set({ category: event.currentTarget.value })}
            />
            <TagsInput
              label="Needed scopes"
              placeholder={draft.scopes?.length ? undefined : "none"}
              value={draft.scopes ?? []}
              error={fields.scopes}
              onChange={(scopes) => set({ scopes })}
            />
          </Group>
          <Switch
            label="Enabled"
            description="Switched off, it is kept but not checked and not offered"
            checked={draft.enabled}
            onChange={(event) => set({ enabled: event.currentTarget.checked })}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending}>
              {endpoint ? "Save" : "Add"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
