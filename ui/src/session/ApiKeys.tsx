import { Alert, Button, Code, Group, Modal, Paper, Select, Stack, Table, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconDownload, IconKey, IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api/calls";
import { keysQuery } from "../api/queries";
import type { ApiKey } from "../api/types";
import { Copy } from "../parts/Copy";
import { download } from "../parts/download";
import { Page } from "../parts/Page";
import rows from "../parts/Rows.module.css";
import { Empty, Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import { useCan } from "./session";

const DAYS = [
  { value: "", label: "Never" },
  { value: "30", label: "In 30 days" },
  { value: "90", label: "In 90 days" },
  { value: "365", label: "In a year" },
];

export default function ApiKeys() {
  const keys = useQuery(keysQuery);
  const can = useCan()("account.keys");
  const [creating, { open, close }] = useDisclosure(false);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const add = can && (
    <Button leftSection={<IconPlus size={16} />} onClick={open}>
      Create a key
    </Button>
  );
  return (
    <Page title="API keys" actions={keys.data?.total ? add : null} size={900}>
      <Text c="dimmed" size="sm" mt={-12}>
        A key lets a script or the homeport command act as you. Send it as <Code>Authorization: Bearer …</Code>
      </Text>
      {keys.isPending && <Loading rows={4} />}
      {keys.error && <Failed error={keys.error} what="your keys" retry={keys.refetch} />}
      {keys.data?.total === 0 && (
        <Empty icon={<IconKey size={32} stroke={1.4} />} title="No keys yet" action={add}>
          Create one for each program that needs to reach the portal, so that you can revoke it alone.
        </Empty>
      )}
      {!!keys.data?.total && (
        <Paper>
          <Table className={rows.rows}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Begins with</Table.Th>
                <Table.Th>Created</Table.Th>
                <Table.Th>Expires</Table.Th>
                <Table.Th />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {keys.data.data.map((key) => (
                <Table.Tr key={key.id}>
                  <Table.Td fw={500}>{key.name}</Table.Td>
                  <Table.Td className="mono" data-label="Begins with">
                    {key.prefix}…
                  </Table.Td>
                  <Table.Td data-label="Created">
                    <When at={key.created_at} />
                  </Table.Td>
                  <Table.Td data-label="Expires">{key.expires_at ? <When at={key.expires_at} /> : "Never"}</Table.Td>
                  <Table.Td ta="right">
                    {can && (
                      <Button size="compact-xs" variant="subtle" color="red" onClick={() => setRevoking(key)}>
                        Revoke
                      </Button>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      <CreateKey opened={creating} close={close} />
      <RevokeKey apiKey={revoking} close={() => setRevoking(null)} />
    </Page>
  );
}

function CreateKey({ opened, close }: { opened: boolean; close: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [days, setDays] = useState("90");
  const create = useMutation({
    mutationFn: () =>
      api.createKey({
        name: name.trim(),
        ...(days && { expires_at: new Date(Date.now() + Number(days) * 86_400_000).toISOString() }),
      }),
    onSuccess: () => client.invalidateQueries(keysQuery),
  });
  const done = () => {
    close();
    setName("");
    create.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  const made = create.data;
  return (
    <Modal opened={opened} onClose={done} title={made ? "Your new key" : "Create a key"} closeOnClickOutside={!made}>
      {made?.key ? (
        <Stack>
          <Alert color="yellow" variant="light" p="xs">
            Copy it now: it is not shown again.
          </Alert>
          <Group wrap="nowrap" gap={4}>
            <Code block style={{ overflowWrap: "anywhere", whiteSpace: "normal", flex: 1 }} data-testid="new-key">
              {made.key}
            </Code>
            <Copy text={made.key} label="Copy the key" />
          </Group>
          <Group justify="flex-end">
            <Button
              variant="default"
              leftSection={<IconDownload size={16} />}
              onClick={() => download(`${made.name}.key`, `${made.key}\n`)}
            >
              Download
            </Button>
            <Button onClick={done}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            {create.error && (
              <Alert color="red" variant="light" p="xs" role="alert">
                {create.error.message}
              </Alert>
            )}
            <TextInput
              label="Name"
              description="What will use it"
              placeholder="backup script"
              data-autofocus
              required
              withAsterisk={false}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Select
              label="Expires"
              data={DAYS}
              value={days}
              onChange={(value) => setDays(value ?? "")}
              allowDeselect={false}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={done}>
                Cancel
              </Button>
              <Button type="submit" loading={create.isPending} disabled={!name.trim()}>
                Create
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

function RevokeKey({ apiKey, close }: { apiKey: ApiKey | null; close: () => void }) {
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: (key: ApiKey) => api.revokeKey(key.id),
    onSuccess: (_, key) => {
      tell(`The key ${key.name} no longer works.`);
      close();
      return client.invalidateQueries(keysQuery);
    },
    onError: (error) => tellProblem(error),
  });
  return (
    <Modal opened={apiKey !== null} onClose={close} title={`Revoke ${apiKey?.name ?? ""}?`}>
      <Stack>
        <Text size="sm">Whatever uses this key is refused from now on. This cannot be undone.</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close} data-autofocus>
            Keep it
          </Button>
          <Button color="red" loading={revoke.isPending} onClick={() => apiKey && revoke.mutate(apiKey)}>
            Revoke
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
