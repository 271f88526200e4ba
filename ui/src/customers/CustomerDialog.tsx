import { Alert, Button, Group, Modal, Select, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api/calls";
import { ApiError } from "../api/client";
import { plansQuery } from "../api/queries";
import type { Customer } from "../api/types";
import { tell } from "../parts/tell";
import { planWords } from "./limits";

/** A new customer, or the changes to one. */
export function CustomerDialog({ customer, close }: { customer?: Customer; close: () => void }) {
  const client = useQueryClient();
  const plans = useQuery(plansQuery);
  const [name, setName] = useState(customer?.name ?? "");
  const [email, setEmail] = useState(customer?.email ?? "");
  const [chosen, setPlan] = useState(customer?.plan_id ?? "");
  const [notes, setNotes] = useState(customer?.notes ?? "");
  const [tried, setTried] = useState(false);
  const known = plans.data?.data ?? [];
  const plan = chosen || known[0]?.id || "";
  const save = useMutation({
    mutationFn: () => {
      const body = { name: name.trim(), email: email.trim(), plan_id: plan, notes };
      return customer ? api.changeCustomer(customer.id, body) : api.addCustomer(body);
    },
    onSuccess: async (saved) => {
      tell(customer ? `${saved.name} was changed.` : `${saved.name} is a customer now.`);
      close();
      await client.invalidateQueries({ queryKey: ["customers"] });
    },
  });
  const fields = save.error instanceof ApiError ? save.error.fields : {};
  const problems = {
    name: name.trim() ? fields.name : "Give it a name.",
    email: /^[^@\s]+@[^@\s]+$/.test(email.trim()) ? fields.email : "It looks like name@example.com.",
  };
  const limits = known.find((one) => one.id === plan);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (name.trim() && /^[^@\s]+@[^@\s]+$/.test(email.trim()) && plan) save.mutate();
  };
  return (
    <Modal opened onClose={close} title={customer ? `Change ${customer.name}` : "Add a customer"}>
      <form onSubmit={submit} noValidate>
        <Stack>
          {(save.error || plans.error) && (
            <Alert color="red" p="xs" role="alert">
              {(save.error ?? plans.error)?.message}
            </Alert>
          )}
          <TextInput
            label="Name"
            data-autofocus
            maxLength={100}
            value={name}
            error={(tried || fields.name) && problems.name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <TextInput
            label="E-mail"
            description="Who to write to about their services"
            type="email"
            value={email}
            error={(tried || fields.email) && problems.email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <div>
            <Select
              label="Plan"
              allowDeselect={false}
              data={known.map((one) => ({ value: one.id, label: one.name }))}
              value={plan || null}
              error={fields.plan_id}
              onChange={(next) => setPlan(next ?? "")}
            />
            {limits && (
              <Text size="xs" c="dimmed" mt={4}>
                {planWords(limits)}
              </Text>
            )}
          </div>
          <Textarea
            label="Notes"
            description="For you; the customer does not see them"
            autosize
            minRows={2}
            maxRows={8}
            value={notes}
            onChange={(event) => setNotes(event.currentTarget.value)}
          />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" loading={save.isPending} disabled={!plan}>
              {customer ? "Save" : "Add"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
