import { Button, Code, Group, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { account, profileQuery } from "../account/calls";
import type { Profile } from "../account/types";
import { meQuery, portalQuery } from "../api/queries";
import { fieldsOf, Refused } from "../parts/problems";

/** What others read where the administrator did something, and where the portal is. */
export function NamesStep({ profile, pass }: { profile: Profile; pass: () => void }) {
  const client = useQueryClient();
  const portal = useQuery(portalQuery);
  const [name, setName] = useState(profile.name === "Administrator" ? "" : profile.name);
  const [email, setEmail] = useState(profile.email ?? "");
  const save = useMutation({
    mutationFn: () => account.changeProfile({ name: name.trim() || profile.name, email: email.trim() || null }),
    onSuccess: async () => {
      await Promise.all([client.invalidateQueries(profileQuery), client.invalidateQueries(meQuery)]);
      pass();
    },
  });
  const fields = fieldsOf(save.error);
  const bad = email.trim() && !/^[^@\s]+@[^@\s]+$/.test(email.trim()) ? "It looks like name@example.com." : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!bad) save.mutate();
  };
  return (
    <form onSubmit={submit} aria-label="Who you are">
      <Stack gap="sm" maw={420}>
        <Text c="dimmed">
          Others read your name beside what you do here. You go on signing in as <b>{profile.username}</b>
          {portal.data && (
            <>
              {" "}
              at <Code>{portal.data.base_url}</Code>
            </>
          )}
          .
        </Text>
        <Refused error={save.error} shown={["name", "email"]} />
        <TextInput
          label="Your name"
          placeholder="Ann Marie"
          autoComplete="name"
          maxLength={100}
          value={name}
          error={fields.name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TextInput
          label="E-mail"
          description="You can sign in with it too"
          placeholder="you@example.com"
          type="email"
          autoComplete="email"
          value={email}
          error={fields.email ?? bad}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        <Group gap="xs">
          <Button type="submit" loading={save.isPending} disabled={!name.trim() && !email.trim()}>
            Save
          </Button>
          <Button variant="default" onClick={pass}>
            Skip
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
