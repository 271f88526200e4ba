import { Anchor, Button, Text, TextInput } from "@mantine/core";
import { IconFingerprint } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { entrance, type SignInForm } from "./calls";
import { Entrance, Refused } from "./Entrance";
import { useEnter } from "./enter";
import { askForPasskey, knowsPasskeys } from "./webauthn";

interface SecondStepProps {
  form: SignInForm;
  methods: string[];
  back: () => void;
}

/** The password was right: now the code of the phone, a backup code, or the passkey. */
export function SecondStep({ form, methods, back }: SecondStepProps) {
  const enter = useEnter();
  const byCode = methods.includes("totp");
  const [backup, setBackup] = useState(!byCode && methods.includes("backup_code"));
  const [code, setCode] = useState("");
  const signIn = useMutation({
    mutationFn: (totp_code: string) => entrance.signIn({ ...form, totp_code }),
    onSuccess: enter,
    onError: () => setCode(""),
  });
  const byPasskey = useMutation({
    mutationFn: async () => {
      const { username, password, remember } = form;
      const { publicKey } = await entrance.passkeyOptions(username);
      return entrance.signInByPasskey({ credential: await askForPasskey(publicKey), username, password, remember });
    },
    onSuccess: enter,
    onMutate: () => signIn.reset(),
  });
  const send = (text: string) => {
    byPasskey.reset();
    signIn.mutate(text);
  };
  const typed = (text: string) => {
    const clean = backup ? text.trim() : text.replace(/\D/g, "").slice(0, 6);
    setCode(clean);
    if (!backup && clean.length === 6 && !signIn.isPending) send(clean);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (code) send(code);
  };
  const refused = signIn.error ?? byPasskey.error;
  const passkey = methods.includes("passkey") && knowsPasskeys();
  const codes = byCode || backup;
  return (
    <Entrance
      title="One more step"
      label="Second step"
      onSubmit={submit}
      below={
        <>
          {byCode && methods.includes("backup_code") && (
            <Anchor
              component="button"
              type="button"
              size="sm"
              onClick={() => {
                setBackup(!backup);
                setCode("");
                signIn.reset();
              }}
            >
              {backup ? "Use the app on my phone" : "I do not have my phone: use a backup code"}
            </Anchor>
          )}
          <Anchor component="button" type="button" size="sm" c="dimmed" onClick={back}>
            Sign in as somebody else
          </Anchor>
        </>
      }
    >
      <Text size="sm" c="dimmed">
        {backup
          ? "Type one of the backup codes that you kept. Each is good once."
          : byCode
            ? "Type the six digits that your authenticator app shows now."
            : "Use the passkey of this account."}
      </Text>
      {refused && <Refused error={refused} at={Math.max(signIn.submittedAt, byPasskey.submittedAt)} />}
      {codes && (
        <>
          <TextInput
            key={backup ? "backup" : "totp"}
            label={backup ? "Backup code" : "Code"}
            inputMode={backup ? "text" : "numeric"}
            autoComplete="one-time-code"
            autoCapitalize="characters"
            spellCheck={false}
            autoFocus
            required
            withAsterisk={false}
            maxLength={32}
            styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)", letterSpacing: "0.2em" } }}
            value={code}
            onChange={(event) => typed(event.currentTarget.value)}
          />
          <Button type="submit" fullWidth loading={signIn.isPending} disabled={!code}>
            Continue
          </Button>
        </>
      )}
      {passkey && (
        <Button
          variant={codes ? "default" : "filled"}
          fullWidth
          leftSection={<IconFingerprint size={17} />}
          loading={byPasskey.isPending}
          onClick={() => byPasskey.mutate()}
        >
          Use a passkey
        </Button>
      )}
    </Entrance>
  );
}
