import { Alert, Button, Group, Modal, Paper, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { FormDialog } from "../parts/FormDialog";
import { count } from "../parts/numbers";
import { Section } from "../parts/Page";
import { StatusWord } from "../parts/StatusWord";
import { Failed, Loading } from "../parts/states";
import { tell } from "../parts/tell";
import { BackupCodes } from "./BackupCodes";
import { account, profileQuery, twoFactorQuery } from "./calls";
import { TwoFactorSetup } from "./TwoFactorSetup";

/** The code of a phone, asked for after the password. */
export function TwoFactor() {
  const client = useQueryClient();
  const status = useQuery(twoFactorQuery);
  const [doing, setDoing] = useState<"setup" | "codes" | "off" | null>(null);
  const refresh = () => Promise.all([client.invalidateQueries(twoFactorQuery), client.invalidateQueries(profileQuery)]);
  const done = () => {
    setDoing(null);
    void refresh();
  };
  const left = status.data?.backup_codes_remaining ?? 0;
  return (
    <Section
      title="Two-factor sign-in"
      hint={
        status.data && (
          <StatusWord status={status.data.enabled ? "healthy" : "stopped"} word={status.data.enabled ? "On" : "Off"} />
        )
      }
    >
      <Paper p="md">
        {status.isPending && <Loading rows={2} />}
        {status.error && <Failed error={status.error} what="your second factor" retry={status.refetch} />}
        {status.data && doing === "setup" && <TwoFactorSetup done={done} cancel={done} />}
        {status.data && doing !== "setup" && !status.data.enabled && (
          <Group justify="space-between" gap="sm">
            <Text size="sm" c="dimmed" maw={520}>
              With it, a stolen password alone lets nobody in: the sign-in asks for six digits from an app on your
              phone.
            </Text>
            <Button onClick={() => setDoing("setup")}>Turn it on</Button>
          </Group>
        )}
        {status.data?.enabled && doing !== "setup" && (
          <Group justify="space-between" gap="sm">
            <Text size="sm" c="dimmed">
              The sign-in asks for the code of your phone.{" "}
              <Text span c={left < 3 ? "var(--warn)" : undefined}>
                {left === 0 ? "No backup code is left." : `${count(left, "backup code")} left.`}
              </Text>
            </Text>
            <Group gap="xs">
              <Button variant="default" onClick={() => setDoing("codes")}>
                New backup codes…
              </Button>
              <Button variant="default" color="red" onClick={() => setDoing("off")}>
                Turn it off…
              </Button>
            </Group>
          </Group>
        )}
      </Paper>
      {doing === "codes" && <NewCodes close={done} />}
      <TurnOff
        opened={doing === "off"}
        close={() => setDoing(null)}
        done={() => {
          tell("Two-factor sign-in is off.");
          done();
        }}
      />
    </Section>
  );
}

function NewCodes({ close }: { close: () => void }) {
  const [code, setCode] = useState("");
  const make = useMutation({ mutationFn: () => account.newBackupCodes(code) });
  if (make.data)
    return (
      <Modal opened onClose={close} title="Your new backup codes" closeOnClickOutside={false} size="lg">
        <BackupCodes codes={make.data.backup_codes} done={close} />
      </Modal>
    );
  return (
    <FormDialog
      title="New backup codes"
      verb="Make new codes"
      act={{ ...make, error: null }}
      close={close}
      ready={code.length === 6}
    >
      <Text size="sm">The codes that you have now stop working.</Text>
      <TextInput
        label="Code of your phone"
        inputMode="numeric"
        autoComplete="one-time-code"
        data-autofocus
        maxLength={6}
        value={code}
        error={make.error?.message}
        onChange={(event) => {
          setCode(event.currentTarget.value.replace(/\D/g, ""));
          make.reset();
        }}
      />
    </FormDialog>
  );
}

function TurnOff({ opened, close, done }: { opened: boolean; close: () => void; done: () => void }) {
  const [given, setGiven] = useState("");
  const [byPassword, setByPassword] = useState(false);
  const off = useMutation({
    mutationFn: () => account.disableTwoFactor(byPassword ? { password: given } : { code: given }),
    onSuccess: () => {
      setGiven("");
      done();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    off.mutate();
  };
  const field = {
    "data-autofocus": true,
    value: given,
    error: off.error?.message,
    onChange: (event: { currentTarget: { value: string } }) => {
      setGiven(event.currentTarget.value);
      off.reset();
    },
  };
  return (
    <Modal opened={opened} onClose={close} title="Turn two-factor sign-in off?">
      <form onSubmit={submit}>
        <Stack>
          <Alert color="yellow" p="xs">
            Your password alone opens the account then. Your backup codes end.
          </Alert>
          {byPassword ? (
            <PasswordInput key="password" label="Password" autoComplete="current-password" {...field} />
          ) : (
            <TextInput
              key="code"
              label="Code of your phone"
              inputMode="numeric"
              autoComplete="one-time-code"
              maxLength={6}
              {...field}
            />
          )}
          <Group justify="space-between">
            <Button
              variant="subtle"
              size="compact-sm"
              onClick={() => {
                setByPassword(!byPassword);
                setGiven("");
                off.reset();
              }}
            >
              {byPassword ? "Use the code" : "Use the password"}
            </Button>
            <Group gap="xs">
              <Button variant="default" onClick={close}>
                Keep it
              </Button>
              <Button type="submit" color="red" loading={off.isPending} disabled={!given}>
                Turn it off
              </Button>
            </Group>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
