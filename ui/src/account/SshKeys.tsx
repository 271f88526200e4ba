import { Button, Code, Group, Input, SegmentedControl, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconPlus, IconTerminal2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { Copy } from "../parts/Copy";
import { FormDialog, Made } from "../parts/FormDialog";
import { Section } from "../parts/Page";
import { Secret } from "../parts/Secret";
import { When } from "../parts/When";
import classes from "./Account.module.css";
import { account, authorizedQuery, sshKeysQuery } from "./calls";
import { OwnList } from "./OwnList";
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
      <OwnList
        query={keys}
        what="your SSH keys"
        none="None yet. Make a pair here: you keep the private half, and the public half goes to the servers that you want to reach."
        list={list}
        row={(key) => (
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
        )}
      >
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
      </OwnList>
      {making && <Make close={close} />}
      {removing && <Remove of={removing} close={() => setRemoving(null)} />}
    </Section>
  );
}

function Make({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  const [type, setType] = useState("ed25519");
  const make = useAct({
    run: () => account.createSshKey({ name: name.trim(), key_type: type }),
    refresh: [sshKeysQuery.queryKey],
  });
  const made = make.data;
  if (made) {
    const file = `id_${made.key_type}_${made.name.replace(/[^A-Za-z0-9_-]+/g, "-")}`;
    return (
      <Made title={`The private half of ${made.name}`} close={close} size="lg">
        <Secret what="The private key" text={made.private_key.trim()} file={file} testId="ssh-private-key" high />
        <Text size="xs" c="dimmed">
          Save it as <Code>~/.ssh/{file}</Code> and run <Code>chmod 600 ~/.ssh/{file}</Code>. The portal keeps only the
          public half.
        </Text>
      </Made>
    );
  }
  return (
    <FormDialog title="Make a key pair" verb="Make it" act={make} close={close} ready={Boolean(name.trim())}>
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
          {type === "rsa" ? "For old servers that know nothing else." : "Short, fast and right nearly everywhere."}
        </Text>
      </Input.Wrapper>
    </FormDialog>
  );
}

function Remove({ of: key, close }: { of: SshKey; close: () => void }) {
  const remove = useAct({
    run: () => account.removeSshKey(key.id),
    done: () => `The SSH key ${key.name} is deleted.`,
    close,
    refresh: [sshKeysQuery.queryKey],
  });
  return (
    <Confirm title={`Delete ${key.name}?`} verb="Delete" act={remove} close={close}>
      <Text size="sm">
        The portal forgets the public half. Servers that have it in their authorized_keys still let the private half in:
        take it out there too.
      </Text>
    </Confirm>
  );
}
