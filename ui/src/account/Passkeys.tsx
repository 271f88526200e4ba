import { Button, Text, TextInput } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconFingerprint, IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAct } from "../parts/act";
import { Confirm } from "../parts/Confirm";
import { FormDialog } from "../parts/FormDialog";
import { Section } from "../parts/Page";
import { When } from "../parts/When";
import { knowsPasskeys, makePasskey } from "../session/webauthn";
import classes from "./Account.module.css";
import { account, passkeysQuery, profileQuery } from "./calls";
import { deviceOf } from "./device";
import { OwnList } from "./OwnList";
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
      <OwnList
        query={passkeys}
        what="your passkeys"
        none={
          knowsPasskeys()
            ? "None yet. A passkey is a finger, a face or a security key instead of a password: nobody can copy or guess it."
            : "None, and this browser does not know passkeys."
        }
        list={list}
        row={(one) => (
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
        )}
      />
      {adding && <Add close={close} />}
      {removing && <Remove of={removing} close={() => setRemoving(null)} />}
    </Section>
  );
}

const refresh = [passkeysQuery.queryKey, profileQuery.queryKey];

function Add({ close }: { close: () => void }) {
  const [name, setName] = useState("");
  const fallback = deviceOf(navigator.userAgent);
  const add = useAct({
    run: async () => {
      const { publicKey } = await account.passkeyOptions();
      return account.addPasskey(name.trim() || fallback, await makePasskey(publicKey));
    },
    done: (made) => `You can sign in with ${made.name} now.`,
    close,
    refresh,
  });
  return (
    <FormDialog title="Add a passkey" verb="Go on" act={add} close={close}>
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
    </FormDialog>
  );
}

function Remove({ of: passkey, close }: { of: OwnPasskey; close: () => void }) {
  const remove = useAct({
    run: () => account.removePasskey(passkey.id),
    done: () => `${passkey.name} no longer opens your account.`,
    close,
    refresh,
  });
  return (
    <Confirm title={`Remove ${passkey.name}?`} verb="Remove" act={remove} close={close}>
      <Text size="sm">It does not open your account from now on. Delete it on the device as well.</Text>
    </Confirm>
  );
}
