import { ActionIcon, Button, Group, Paper, Stack, Text, TextInput, Tooltip } from "@mantine/core";
import { IconUserMinus, IconUserPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api/calls";
import { customerUsersQuery } from "../api/queries";
import type { Customer } from "../api/types";
import { Section } from "../parts/Page";
import { Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";

/** The accounts that see this customer's services and nothing else. */
export function People({ customer, disabled }: { customer: Customer; disabled: boolean }) {
  const client = useQueryClient();
  const people = useQuery(customerUsersQuery(customer.id));
  const [typed, setTyped] = useState("");
  const refresh = () => client.invalidateQueries(customerUsersQuery(customer.id));
  const add = useMutation({
    mutationFn: (user: string) => api.addCustomerUser(customer.id, user),
    onSuccess: (_, user) => {
      setTyped("");
      tell(`${user} sees the services of ${customer.name} now, and nothing else.`);
      return refresh();
    },
  });
  const remove = useMutation({
    mutationFn: (user: string) => api.removeCustomerUser(customer.id, user),
    onSuccess: refresh,
    onError: (error) => tellProblem(error),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim()) add.mutate(typed.trim());
  };
  return (
    <Section
      title="People"
      hint={
        <Text size="xs" c="dimmed">
          Accounts that see this customer's services and nothing else
        </Text>
      }
    >
      <Paper p="md">
        <Stack gap="sm">
          {people.isPending && <Loading rows={2} />}
          {people.error && <Failed error={people.error} what="the people" retry={people.refetch} />}
          {people.data?.total === 0 && (
            <Text size="sm" c="dimmed">
              Nobody yet.
            </Text>
          )}
          {people.data?.data.map((one) => (
            <Group key={one.id} justify="space-between" wrap="nowrap">
              <div>
                <Text size="sm" fw={550}>
                  {one.name || one.username}
                </Text>
                <Text size="xs" c="dimmed">
                  {one.email ?? one.username}, {one.role}
                </Text>
              </div>
              {!disabled && (
                <Tooltip label="Take out: the account sees the whole portal then">
                  <ActionIcon
                    aria-label={`Take ${one.username} out`}
                    loading={remove.isPending && remove.variables === one.id}
                    onClick={() => remove.mutate(one.id)}
                  >
                    <IconUserMinus size={17} />
                  </ActionIcon>
                </Tooltip>
              )}
            </Group>
          ))}
          {!disabled && (
            <form onSubmit={submit}>
              <Group gap="xs" align="flex-start">
                <TextInput
                  aria-label="Account"
                  placeholder="Name or e-mail of an account"
                  miw={200}
                  maw={340}
                  flex={1}
                  autoCapitalize="none"
                  spellCheck={false}
                  value={typed}
                  error={add.error?.message}
                  onChange={(event) => {
                    setTyped(event.currentTarget.value);
                    add.reset();
                  }}
                />
                <Button
                  type="submit"
                  variant="default"
                  leftSection={<IconUserPlus size={16} />}
                  loading={add.isPending}
                  disabled={!typed.trim()}
                >
                  Add
                </Button>
              </Group>
            </form>
          )}
        </Stack>
      </Paper>
    </Section>
  );
}
