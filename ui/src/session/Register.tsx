import { Anchor, Button, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { NewPassword } from "../account/NewPassword";
import { passwordProblem, usernameProblem } from "../account/password";
import { ApiError } from "../api/client";
import { entrance, entranceQuery } from "./calls";
import { Entrance, Refused } from "./Entrance";
import { useEnter } from "./enter";
import { inviteCode } from "./refusal";

/** An account for who has an invite code, which a link may bring along: /register?code=PORTAL-… */
export default function Register() {
  const enter = useEnter();
  const config = useQuery(entranceQuery);
  const [code, setCode] = useState(inviteCode(new URLSearchParams(location.search).get("code") ?? ""));
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [tried, setTried] = useState(false);
  const register = useMutation({
    mutationFn: async () => {
      const name = username.trim();
      await entrance.register({ username: name, password, invite_code: code });
      history.replaceState(null, "", "/");
      try {
        await entrance.signIn({ username: name, password, remember: false });
      } finally {
        // The account is there: whoever is not let in at once signs in by hand.
        await enter();
      }
    },
  });
  const error = register.error;
  const fields = error instanceof ApiError ? error.fields : {};
  const codeRefused = error instanceof ApiError && error.code === "invalid_invite_code";
  const taken = error instanceof ApiError && error.status === 409;
  const nameProblem = taken
    ? error.message
    : (fields.username ?? (username || tried ? usernameProblem(username.trim()) : null));
  const told = codeRefused || taken || Object.keys(fields).length > 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (code && !usernameProblem(username.trim()) && !passwordProblem(password, username.trim())) register.mutate();
  };
  if (config.data?.registration && !config.data.registration.enabled)
    return (
      <Entrance title="Nobody can register here" label="Register" onSubmit={(event) => event.preventDefault()}>
        <Text size="sm">Registration is closed. Ask whoever runs this portal to make an account for you.</Text>
        <Button component="a" href="/" variant="default">
          Go to the sign-in
        </Button>
      </Entrance>
    );
  return (
    <Entrance
      title="Create your account"
      label="Register"
      onSubmit={submit}
      below={
        <Text size="sm">
          You have an account? <Anchor href="/">Sign in</Anchor>
        </Text>
      }
    >
      {error && !told && <Refused error={error} at={register.submittedAt} />}
      <TextInput
        label="Invite code"
        description="From whoever invited you"
        placeholder="PORTAL-XXXX-XXXX-XXXX"
        autoComplete="off"
        spellCheck={false}
        autoFocus={!code}
        maxLength={40}
        styles={{ input: { fontFamily: "var(--mantine-font-family-monospace)" } }}
        value={code}
        error={
          codeRefused
            ? `${error.message} It may be used up or over: ask for a new one.`
            : (fields.invite_code ?? (tried && !code ? "You need one to register." : null))
        }
        onChange={(event) => {
          setCode(inviteCode(event.currentTarget.value));
          register.reset();
        }}
      />
      <TextInput
        label="User name"
        description="3 to 30 letters, digits, _ or -"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        autoFocus={!!code}
        maxLength={30}
        value={username}
        error={nameProblem}
        onChange={(event) => {
          setUsername(event.currentTarget.value);
          register.reset();
        }}
      />
      <NewPassword
        label="Password"
        value={password}
        username={username.trim()}
        tried={tried}
        problem={fields.password}
        change={setPassword}
      />
      <Button type="submit" mt={4} fullWidth loading={register.isPending}>
        Create my account
      </Button>
    </Entrance>
  );
}
