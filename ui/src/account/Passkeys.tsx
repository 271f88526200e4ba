import { Alert, Button, Group, Modal, Paper, Stack, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconFingerprint, IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Section } from "../parts/Page";
import { Failed, Loading } from "../parts/states";
import { tell, tellProblem } from "../parts/tell";
import { When } from "../parts/When";
import { knowsPasskeys, makePasskey } from "../session/webauthn";
import classes from "./Account.module.css";
import { account, passkeysQuery, profileQuery } from "./calls";
import { deviceOf } from "./device";
import type { OwnPasskey } from "./types";

/** Devices that let me in by a touch. */
export function Passkeys() {
  const passkeys = useQuery(passkeysQuery);
  const [adding, { open, close }] = useDisclosure(false);
  const [removing, setRemoving] = useState<OwnPasskey | null>(null);
  const list = passkeys.data?.passkeys ?? [];
  return (
    <Section
      title="Passkeys"
      aside={
        knowsPasskeys() && (
          <Button size="xs" variant="default" leftSection={<IconPlus size={15} />} onClick={open}>
            Add a passkey
          </Button>
        )
      }
    >
      <Paper>
        {passkeys.isPending && (
          <div style={{ padding: 14 }}>
            <Loading rows={2} />
          </div>
        )}
        {passkeys.error && <Failed error={passkeys.error} what="your passkeys" retry={passkeys.refetch} />}
        {passkeys.data && list.length === 0 && (
          <Text size="sm" c="dimmed" p="md">
            {knowsPasskeys()
              ? "None yet. A passkey is a finger, a face or a security key instead of a password: nobody can copy or guess it."
              : "None, and this browser does not know passkeys."}
          </Text>
        )}
        {list.map((one) => (
          <div key={one.id} className={classes.row} data-passkey={one.name}>
            <IconFingerprint size={20} stroke={1.6} aria-hidden />
            <div>
              <Text size="sm" fw={550}>
                {one.name}
              </Text>
              <Text size="xs" c="dimmed">
                <When at={one.created_at} prefix="Added " />
                {one.last_used_at && (
                  <>
                    {" · "}
                    <When at={one.last_used_at} prefix="used " />
                  </>
                )}
              </Text>
            </div>
            <Button
              size="compact-xs"
              variant="subtle"
              color="red"
              aria-label={`Remove ${one.name}`}
              onClick={() => setRemoving(one)}
            >
              Remove
            </Button>
          </div>
        ))}
      </Paper>
      <Add opened={adding} close={close} />
      <Remove passkey={removing} close={() => setRemoving(null)} />
    </Section>
  );
}

function useRefresh() {
  const client = useQueryClient();
  return () => Promise.all([client.invalidateQueries(passkeysQuery), client.invalidateQueries(profileQuery)]);
}

function Add({ opened, close }: { opened: boolean; close: () => void }) {
  const refresh = useRefresh();
  const [name, setName] = useState("");
  const fallback = deviceOf(navigator.userAgent);
  const add = useMutation({
    mutationFn: async () => {
      const { publicKey } = await account.passkeyOptions();
      return account.addPasskey(name.trim() || fallback, await makePasskey(publicKey));
    },
    onSuccess: (made) => {
      tell(`You can sign in with ${made.name} now.`);
      done();
      return refresh();
    },
  });
  const done = () => {
    close();
    setName("");
    add.reset();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    add.mutate();
  };
  return (
    <Modal opened={opened} onClose={done} title="Add a passkey">
      <form onSubmit={submit}>
        <Stack>
          {add.error && (
            <Alert color="red" p="xs" role="alert">
              {add.error.message}
            </Alert>
          )}
          <TextInput
            label="Name"
            description="To know it by in this list"
            placeholder={fallback}
            maxLength={100}
            data-autofocus
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <Text size="xs" c="dimmed">
            Your browser asks next where to keep it: on this device, on your phone, or on a security key.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={done}>
              Cancel
            </Button>
            <Button type="submit" loading={add.isPending}>
              Go on
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Remove({ passkey, close }: { passkey: OwnPasskey | null; close: () => void }) {
  const refresh = useRefresh();
  const remove = useMutation({
    mutationFn: (one: OwnPasskey) => account.removePasskey(one.id),
    onSuccess: (_, one) => {
      tell(`${one.name} no longer opens your account.`);
      close();
      return refresh();
    },
    onError: (error) => tellProblem(error),
  });
  return (
    <Modal opened={passkey !== null} onClose={close} title={`Remove ${passkey?.name ?? ""}?`}>
      <Stack>
        <Text size="sm">It does not open your account from now on. Delete it on the device as well.</Text>
        <Group justify="flex-end">
          <Button variant="default" onClick={close} data-autofocus>
            Keep it
          </Button>
          <Button color="red" loading={remove.isPending} onClick={() => passkey && remove.mutate(passkey)}>
            Remove
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
