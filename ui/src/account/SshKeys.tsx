import {
  Alert,
  Button,
  Code,
  Group,
  Input,
  Modal,
  Paper,
  SegmentedControl,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus, IconTerminal2 } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Copy } from "../parts/Copy";
import { Section } from "../parts/Page";
import { Secret } from "../parts/Secret";
import { Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import classes from "./Account.module.css";
import { account, authorizedQuery, sshKeysQuery } from "./calls";
import type { SshKey } from "./types";

const TYPES = [
  { value: "ed25519", label: "Ed25519" },
  { value: "rsa", label: "RSA" },
];

/** Key pairs for ssh, made by the portal; the private half is given out once. */
export function SshKeys() {
  const keys = useQuery(sshKeysQuery);
  const list = keys.data?.keys ?? [];
  const authorized = useQuery({ ...authorizedQuery, enabled: list.length > 0 });
  const [making, { open, close }] = useDisclosure(false);
  const [removing, setRemoving] = useState<SshKey | null>(null);
  return (
    <Section
      title="SSH keys"
      aside={
        <Button size="xs" variant="default" leftSection={<IconPlus size={15} />} onClick={open}>
          Make a key pair
        </Button>
      }
    >
      <Paper>
        {keys.isPending && (
          <div style={{ padding: 14 }}>
            <Loading rows={2} />
          </div>
        )}
        {keys.error && <Failed error={keys.error} what="your SSH keys" retry={keys.refetch} />}
        {keys.data && list.length === 0 && (
          <Text size="sm" c="dimmed" p="md">
            None yet. Make a pair here: you keep the private half, and the public half goes to the servers that you want
            to reach.
          </Text>
        )}
        {list.map((key) => (
          <div key={key.id} className={classes.row} data-ssh-key={key.name}>
            <IconTerminal2 size={20} stroke={1.6} aria-hidden />
            <div style={{ minWidth: 0 }}>
              <Text size="sm" fw={550}>
                {key.name}
              </Text>
              <Text size="xs" c="dimmed" className="cut" title={key.fingerprint}>
                {key.key_type} · <When at={key.created_at} prefix="made " /> · {key.fingerprint}
              </Text>
            </div>
            <Group gap={4} wrap="nowrap">
              {key.public_key && <Copy text={key.public_key} label={`Copy the public half of ${key.name}`} />}
              <Button
                size="compact-xs"
                variant="subtle"
                color="red"
                aria-label={`Delete ${key.name}`}
                onClick={() => setRemoving(key)}
              >
                Delete
              </Button>
            </Group>
          </div>
        ))}
        {list.length > 0 && authorized.data && (
          <Stack gap={6} p="md" style={{ borderTop: "1px solid var(--line)" }}>
            <Group gap={4}>
              <Text size="xs" c="dimmed">
                For the file <Code>~/.ssh/authorized_keys</Code> of a server
              </Text>
              <Copy text={authorized.data} label="Copy the lines for authorized_keys" />
            </Group>
            <Code block data-testid="authorized-keys" style={{ maxHeight: 110, overflow: "auto" }} tabIndex={0}>
              {authorized.data.trim()}
            </Code>
          </Stack>
        )}
      </Paper>
      <Make opened={making} close={close} />
      <Remove sshKey={removing} close={() => setRemoving(null)} />
    </Section>
  );
}

function Make({ opened, close }: { opened: boolean; close: () => void }) {
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [type, setType] = useState("ed25519");
  const make = useMutation({
    mutationFn: () => account.createSshKey({ name: name.trim(), key_type: type }),
    onSuccess: () => client.invalidateQueries({ queryKey: sshKeysQuery.queryKey }),
  });
  const done = () => {
    close();
    setName("");
    make.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    make.mutate();
  };
  const made = make.data;
  const file = `id_${made?.key_type ?? type}_${(made?.name ?? "key").replace(/[^A-Za-z0-9_-]+/g, "-")}`;
  return (
    <Modal
      opened={opened}
      onClose={done}
      title={made ? `The private half of ${made.name}` : "Make a key pair"}
      closeOnClickOutside={!made}
      size={made ? "lg" : "md"}
    >
      {made ? (
        <Stack>
          <Secret
            what="The private key"
            text={made.private_key.trim()}
            content={`${made.private_key.trim()}\n`}
            file={file}
            testId="ssh-private-key"
            high
          />
          <Text size="xs" c="dimmed">
            Save it as <Code>~/.ssh/{file}</Code> and run <Code>chmod 600 ~/.ssh/{file}</Code>. The portal keeps only
            the public half.
          </Text>
          <Group justify="flex-end">
            <Button onClick={done}>Done</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack>
            {make.error && (
              <Alert color="red" p="xs" role="alert">
                {make.error.message}
              </Alert>
            )}
            <TextInput
              label="Name"
              description="Where you will use it"
              placeholder="my laptop"
              maxLength={100}
              data-autofocus
              required
              withAsterisk={false}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Input.Wrapper label="Kind" labelElement="div" labelProps={{ style: { display: "block" } }}>
              <SegmentedControl
                style={{ display: "flex" }}
                aria-label="Kind of key"
                data={TYPES}
                value={type}
                onChange={setType}
              />
              <Text size="xs" c="dimmed" mt={4}>
                {type === "rsa"
                  ? "For old servers that know nothing else."
                  : "Short, fast and right nearly everywhere."}
              </Text>
            </Input.Wrapper>
            <Group justify="flex-end">
              <Button variant="default" onClick={done}>
                Cancel
              </Button>
              <Button type="submit" loading={make.isPending} disabled={!name.trim()}>
                Make it
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

function Remove({ sshKey, close }: { sshKey: SshKey | null; close: () => void }) {
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: (key: SshKey) => account.removeSshKey(key.id),
    onSuccess: (_, key) => {
      tell(`The SSH key ${key.name} is deleted.`);
      close();
      return client.invalidateQueries({ queryKey: sshKeysQuery.queryKey });
    },
    onError: (error) => tellProblem(error),
  });
  return (
    <Modal opened={sshKey !== null} onClose={close} title={`Delete ${sshKey?.name ?? ""}?`}>
      <Stack>
        <Text size="sm">
          The portal forgets the public half. Servers that have it in their authorized_keys still let the private half
          in: take it out there too.
        </Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close} data-autofocus>
            Keep it
          </Button>
          <Button color="red" loading={remove.isPending} onClick={() => sshKey && remove.mutate(sshKey)}>
            Delete
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
