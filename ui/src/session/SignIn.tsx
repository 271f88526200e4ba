import { Alert, Anchor, Button, Checkbox, Divider, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { IconFingerprint, IconLogin2 } from "@tabler/icons-react";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { withQuery } from "../api/client";
import { entrance, entranceQuery } from "./calls";
import { Entrance, Refused } from "./Entrance";
import { useEnter } from "./enter";
import { asksForSecondFactor, providerProblem, safeNext } from "./refusal";
import { SecondStep } from "./SecondStep";
import { listsTunnels } from "./tunnels";
import { askForPasskey, knowsPasskeys } from "./webauthn";

/** Shown in place of the page that was asked for, so that the page is there when the sign-in is done. */
export default function SignIn({ ended }: { ended?: boolean }) {
  const enter = useEnter();
  const config = useQuery(entranceQuery).data;
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [remember, setRemember] = useState(false);
  const [methods, setMethods] = useState<string[] | null>(null);
  const [elsewhere] = useState(() => providerProblem(location.search));
  useEffect(() => {
    if (elsewhere) history.replaceState(null, "", location.pathname);
  }, [elsewhere]);
  const signIn = useMutation({
    mutationFn: () => entrance.signIn({ username: username.trim(), password, remember }),
    onSuccess: enter,
    onError: (error) => setMethods(asksForSecondFactor(error)),
  });
  const byPasskey = useMutation({
    mutationFn: async () => {
      const { publicKey } = await entrance.passkeyOptions();
      return entrance.signInByPasskey({ credential: await askForPasskey(publicKey), remember });
    },
    onSuccess: enter,
    onMutate: () => signIn.reset(),
  });
  if (methods)
    return (
      <SecondStep
        form={{ username: username.trim(), password, remember }}
        methods={methods}
        back={() => {
          setMethods(null);
          setPassword("");
          signIn.reset();
        }}
      />
    );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    byPasskey.reset();
    signIn.mutate();
  };
  const refused = signIn.error ?? byPasskey.error;
  const oidc = config?.oidc?.enabled && config.oidc.login_url ? config.oidc : null;
  const next = safeNext(location.pathname + location.search);
  const passkeys = config?.passkeys && knowsPasskeys();
  return (
    <Entrance
      title="Sign in to Homeport"
      label="Sign in"
      onSubmit={submit}
      below={
        <>
          {config?.registration?.enabled && (
            <Text size="sm">
              Have an invite code? <Anchor href="/register">Create an account</Anchor>
            </Text>
          )}
          {listsTunnels() && (
            <Text size="sm">
              Looking for a tunnel? <Anchor href="/tunnels">See the public ones</Anchor>
            </Text>
          )}
          <Text size="xs" c="dimmed">
            First time here? The name and password were printed once, when the portal first started.
          </Text>
        </>
      }
    >
      {!refused && !elsewhere && !ended && location.pathname.startsWith("/share/") && (
        <Alert color="harbor" variant="light" p="xs">
          The page that you opened is for people who are signed in here. You come back to it afterwards.
        </Alert>
      )}
      {!refused && (elsewhere || ended) && (
        <Alert color={elsewhere ? "red" : "yellow"} p="xs" role="alert">
          {elsewhere ?? "Your session has ended. Sign in again to go on where you were."}
        </Alert>
      )}
      {refused && <Refused error={refused} at={Math.max(signIn.submittedAt, byPasskey.submittedAt)} />}
      <TextInput
        label="Name or email"
        autoComplete="username webauthn"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus
        required
        withAsterisk={false}
        value={username}
        onChange={(event) => setUsername(event.currentTarget.value)}
      />
      <PasswordInput
        label="Password"
        autoComplete="current-password"
        required
        withAsterisk={false}
        value={password}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <Checkbox
        label="Keep me signed in on this device"
        description="Otherwise until you close the browser"
        checked={remember}
        onChange={(event) => setRemember(event.currentTarget.checked)}
      />
      <Button type="submit" mt={4} fullWidth loading={signIn.isPending}>
        Sign in
      </Button>
      {(passkeys || oidc) && (
        <Stack gap="xs">
          <Divider label="or" labelPosition="center" />
          {passkeys && (
            <Button
              variant="default"
              fullWidth
              leftSection={<IconFingerprint size={17} />}
              loading={byPasskey.isPending}
              onClick={() => byPasskey.mutate()}
            >
              Sign in with a passkey
            </Button>
          )}
          {oidc && (
            <Button
              variant="default"
              fullWidth
              leftSection={<IconLogin2 size={17} />}
              component="a"
              href={withQuery(oidc.login_url ?? "", { next })}
            >
              Sign in with {oidc.name}
            </Button>
          )}
        </Stack>
      )}
    </Entrance>
  );
}
