import { Alert, Button, Checkbox, Group, Paper, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { ApiError } from "../api/client";
import { Section } from "../parts/Page";
import { tell } from "../parts/tell";
import { When } from "../parts/When";
import { account, ownSessionsQuery, profileQuery } from "./calls";
import { NewPassword } from "./NewPassword";
import { passwordProblem } from "./password";
import type { Profile } from "./types";

export function PasswordSection({ profile }: { profile: Profile }) {
  const [open, setOpen] = useState(false);
  return (
    <Section title="Password">
      <Paper p="md">
        {open ? (
          <PasswordForm
            username={profile.username}
            cancel={() => setOpen(false)}
            done={() => {
              setOpen(false);
              tell("Your password is changed.");
            }}
          />
        ) : (
          <Group justify="space-between" gap="sm">
            <Text size="sm" c="dimmed">
              {!profile.has_password ? (
                "This account has no password: you sign in another way."
              ) : profile.password_changed_at ? (
                <When at={profile.password_changed_at} prefix="Changed " />
              ) : (
                "Still the one that you were given."
              )}
            </Text>
            {profile.has_password && (
              <Button variant="default" onClick={() => setOpen(true)}>
                Change the password…
              </Button>
            )}
          </Group>
        )}
      </Paper>
    </Section>
  );
}

interface PasswordFormProps {
  username: string;
  done: () => void;
  cancel?: () => void;
  /** What the password in use is called here. */
  current?: string;
  action?: string;
  cancelWord?: string;
  /** Nothing else is signed in or made yet, so that nothing is said about it. */
  quiet?: boolean;
}

/** A new password for who knows the old one. */
export function PasswordForm({
  username,
  done,
  cancel,
  current = "Password now",
  action = "Change the password",
  cancelWord = "Cancel",
  quiet = false,
}: PasswordFormProps) {
  const client = useQueryClient();
  const [old, setOld] = useState("");
  const [fresh, setFresh] = useState("");
  const [again, setAgain] = useState("");
  const [endKeys, setEndKeys] = useState(false);
  const [tried, setTried] = useState(false);
  const change = useMutation({
    mutationFn: () => account.changePassword({ current_password: old, new_password: fresh, keep_api_keys: !endKeys }),
    onSuccess: async () => {
      await Promise.all([client.invalidateQueries(profileQuery), client.invalidateQueries(ownSessionsQuery)]);
      done();
    },
  });
  const error = change.error;
  const fields = error instanceof ApiError ? error.fields : {};
  const wrong = error instanceof ApiError && error.code === "invalid_credentials";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (old && !passwordProblem(fresh, username) && fresh === again) change.mutate();
  };
  return (
    <form onSubmit={submit} aria-label="Change the password">
      <Stack gap="sm" maw={420}>
        {error && !wrong && !Object.keys(fields).length && (
          <Alert color="red" p="xs" role="alert">
            {error.message}
          </Alert>
        )}
        <input type="text" autoComplete="username" value={username} readOnly hidden />
        <PasswordInput
          label={current}
          autoComplete="current-password"
          value={old}
          error={
            wrong ? "This is not your password." : (fields.current_password ?? (tried && !old && "Type it once more."))
          }
          onChange={(event) => {
            setOld(event.currentTarget.value);
            change.reset();
          }}
        />
        <NewPassword
          label="New password"
          value={fresh}
          change={setFresh}
          username={username}
          tried={tried}
          problem={fields.new_password}
        />
        <PasswordInput
          label="The new one again"
          autoComplete="new-password"
          value={again}
          error={(tried || again.length >= fresh.length) && again !== fresh && "The two are not the same."}
          onChange={(event) => setAgain(event.currentTarget.value)}
        />
        {!quiet && (
          <>
            <Checkbox
              label="Revoke my API keys too"
              description="Do this when somebody else may have known the password"
              checked={endKeys}
              onChange={(event) => setEndKeys(event.currentTarget.checked)}
            />
            <Text size="xs" c="dimmed">
              Every other session of yours ends at once; this one stays.
            </Text>
          </>
        )}
        <Group>
          <Button type="submit" loading={change.isPending}>
            {action}
          </Button>
          {cancel && (
            <Button variant="default" onClick={cancel}>
              {cancelWord}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
