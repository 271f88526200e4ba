import { Anchor, Button, Code, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Copy } from "../parts/Copy";
import { Failed, Loading } from "../parts/states";
import classes from "./Account.module.css";
import { BackupCodes } from "./BackupCodes";
import { account, twoFactorQuery } from "./calls";

interface TwoFactorSetupProps {
  done: () => void;
  cancel: () => void;
  cancelWord?: string;
}

const inFours = (secret: string) => secret.replace(/(.{4})(?=.)/g, "$1 ");

/** Scan, type the first code, keep the backup codes. */
export function TwoFactorSetup({ done, cancel, cancelWord = "Cancel" }: TwoFactorSetupProps) {
  const client = useQueryClient();
  const [code, setCode] = useState("");
  // Each look makes a new secret, so it is made once and kept while this is open.
  const setup = useQuery({
    queryKey: ["account", "2fa", "setup"],
    queryFn: account.beginTwoFactor,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    retry: false,
  });
  const enable = useMutation({
    mutationFn: account.enableTwoFactor,
    // Exactly this one: a second look at the set-up would make a second secret.
    onSuccess: () => client.invalidateQueries({ queryKey: twoFactorQuery.queryKey, exact: true }),
    onError: () => setCode(""),
  });
  if (enable.data) return <BackupCodes codes={enable.data.backup_codes} done={done} />;
  if (setup.isPending) return <Loading rows={5} />;
  if (setup.error) return <Failed error={setup.error} what="a secret for your phone" retry={setup.refetch} />;
  const { secret, uri, qr_svg } = setup.data;
  const typed = (text: string) => {
    const clean = text.replace(/\D/g, "").slice(0, 6);
    setCode(clean);
    if (clean) enable.reset();
    if (clean.length === 6 && !enable.isPending) enable.mutate(clean);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (code.length === 6) enable.mutate(code);
  };
  return (
    <form onSubmit={submit} aria-label="Turn on two-factor sign-in">
      <div className={classes.scan}>
        {qr_svg && (
          <img
            className={classes.qr}
            src={`data:image/svg+xml,${encodeURIComponent(qr_svg)}`}
            alt="QR code for an authenticator app"
          />
        )}
        <Stack gap="sm">
          <div>
            <Text size="sm" fw={600}>
              1. Scan this with an authenticator app
            </Text>
            <Text size="xs" c="dimmed">
              Aegis, Google Authenticator, 1Password, or any other.{" "}
              <Anchor href={uri} fz="xs">
                On this device: open the app
              </Anchor>
            </Text>
          </div>
          <div>
            <Text size="xs" c="dimmed" mb={2}>
              Or type this in the app:
            </Text>
            <Group gap={4} wrap="nowrap">
              <Code fz="sm" data-testid="totp-secret" style={{ overflowWrap: "anywhere" }}>
                {inFours(secret)}
              </Code>
              <Copy text={secret} label="Copy the secret" />
            </Group>
          </div>
          <TextInput
            label="2. Type the six digits that it shows"
            inputMode="numeric"
            autoComplete="one-time-code"
            maxLength={6}
            description="From then on it is asked for, and your other sessions end"
            styles={{
              input: {
                maxWidth: 220,
                fontFamily: "var(--mantine-font-family-monospace)",
                letterSpacing: "0.25em",
              },
            }}
            value={code}
            error={enable.error?.message}
            onChange={(event) => typed(event.currentTarget.value)}
          />
          <Group gap="xs">
            <Button type="submit" loading={enable.isPending} disabled={code.length !== 6}>
              Turn it on
            </Button>
            <Button variant="default" onClick={cancel}>
              {cancelWord}
            </Button>
          </Group>
        </Stack>
      </div>
    </form>
  );
}
