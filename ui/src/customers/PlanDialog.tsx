import { Alert, Button, Checkbox, Group, Modal, NumberInput, SimpleGrid, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api/calls";
import { ApiError } from "../api/client";
import { GATES, type NewPlan, type Plan } from "../api/types";
import { tell } from "../parts/tell";
import { GATE_WORDS, NEW_PLAN } from "./limits";

const LIMITS = [
  { name: "max_services", label: "Services", suffix: "", step: 1 },
  { name: "max_cpu", label: "CPU", suffix: " cores", step: 0.5 },
  { name: "max_memory_mb", label: "Memory", suffix: " MB", step: 512 },
  { name: "max_storage_mb", label: "Storage", suffix: " MB", step: 1024 },
] as const;

/** A new plan, or the changes to one. An empty limit is no limit. */
export function PlanDialog({ plan, close }: { plan?: Plan; close: () => void }) {
  const client = useQueryClient();
  const [draft, setDraft] = useState<NewPlan>(() => pick(plan ?? NEW_PLAN));
  const [tried, setTried] = useState(false);
  const set = (change: Partial<NewPlan>) => setDraft((before) => ({ ...before, ...change }));
  const after = async (message: string) => {
    tell(message);
    close();
    await client.invalidateQueries({ queryKey: ["plans"] });
    await client.invalidateQueries({ queryKey: ["customers"] });
  };
  const save = useMutation({
    mutationFn: () => {
      const body = { ...draft, name: draft.name.trim() };
      return plan ? api.changePlan(plan.id, body) : api.addPlan(body);
    },
    onSuccess: (saved) => after(plan ? `The plan ${saved.name} was changed.` : `The plan ${saved.name} was added.`),
  });
  const remove = useMutation({
    mutationFn: (id: string) => api.removePlan(id),
    onSuccess: () => after(`The plan ${draft.name} was deleted.`),
  });
  const fields = save.error instanceof ApiError ? save.error.fields : {};
  const error = save.error ?? remove.error;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (draft.name.trim()) save.mutate();
  };
  return (
    <Modal opened onClose={close} size="lg" title={plan ? `Change the plan ${plan.name}` : "Add a plan"}>
      <form onSubmit={submit} noValidate>
        <Stack>
          {error && (
            <Alert color="red" p="xs" role="alert">
              {error.message}
            </Alert>
          )}
          <Group align="flex-start" grow>
            <TextInput
              label="Name"
              data-autofocus
              maxLength={100}
              value={draft.name}
              error={(tried && !draft.name.trim() && "Give it a name.") || fields.name}
              onChange={(event) => set({ name: event.currentTarget.value })}
            />
            <NumberInput
              label="Place in the list"
              allowDecimal={false}
              value={draft.sort_order}
              onChange={(value) => set({ sort_order: Number(value) || 0 })}
            />
          </Group>
          <TextInput
            label="Description"
            value={draft.description}
            onChange={(event) => set({ description: event.currentTarget.value })}
          />
          <fieldset style={{ border: 0, padding: 0, margin: 0 }}>
            <Text component="legend" size="sm" fw={600} mb={4}>
              Limits
            </Text>
            <Text size="xs" c="dimmed" mb={8}>
              Over all services of a customer. Empty: no limit. They count from the next deploy on.
            </Text>
            <SimpleGrid cols={{ base: 2, sm: 4 }} spacing="sm">
              {LIMITS.map(({ name, label, suffix, step }) => (
                <NumberInput
                  key={name}
                  label={label}
                  placeholder="no limit"
                  suffix={suffix}
                  min={0}
                  step={step}
                  allowDecimal={name === "max_cpu"}
                  value={draft[name] ?? ""}
                  error={fields[name]}
                  onChange={(value) => set({ [name]: value === "" ? null : Number(value) })}
                />
              ))}
            </SimpleGrid>
          </fieldset>
          <fieldset style={{ border: 0, padding: 0, margin: 0 }}>
            <Text component="legend" size="sm" fw={600} mb={8}>
              Included
            </Text>
            <SimpleGrid cols={{ base: 1, xs: 2 }} spacing={8}>
              {GATES.map((gate) => (
                <Checkbox
                  key={gate}
                  label={GATE_WORDS[gate]}
                  checked={draft[`allow_${gate}`]}
                  onChange={(event) => set({ [`allow_${gate}`]: event.currentTarget.checked })}
                />
              ))}
            </SimpleGrid>
          </fieldset>
          <Group justify="space-between">
            {plan ? (
              <Button
                variant="subtle"
                color="red"
                disabled={plan.customers > 0}
                title={plan.customers > 0 ? "Give its customers another plan first" : undefined}
                loading={remove.isPending}
                onClick={() => remove.mutate(plan.id)}
              >
                Delete
              </Button>
            ) : (
              <span />
            )}
            <Group gap="xs">
              <Button variant="default" onClick={close}>
                Cancel
              </Button>
              <Button type="submit" loading={save.isPending}>
                {plan ? "Save" : "Add"}
              </Button>
            </Group>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

const pick = (from: NewPlan): NewPlan =>
  Object.fromEntries(Object.keys(NEW_PLAN).map((name) => [name, from[name as keyof NewPlan]])) as NewPlan;
