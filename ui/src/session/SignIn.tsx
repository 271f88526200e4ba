import { Alert, Button, Center, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api/calls";
import { meQuery } from "../api/queries";
import { Mark } from "../frame/Mark";

export default function SignIn() {
  useDocumentTitle("Sign in · Homeport");
  const client = useQueryClient();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => api.login(name.trim(), password),
    onSuccess: () => client.fetchQuery({ ...meQuery, staleTime: 0 }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <Center mih="100dvh" p="md">
      <Stack w="100%" maw={360} gap="lg">
        <Stack align="center" gap={10}>
          <Mark size={48} />
          <Title order={1}>Sign in to Homeport</Title>
        </Stack>
        <Paper p="lg" component="form" onSubmit={submit} aria-label="Sign in">
          <Stack gap="sm">
            {signIn.error && (
              <Alert color="red" variant="light" role="alert" p="xs">
                {signIn.error.message}
              </Alert>
            )}
            <TextInput
              label="Name or email"
              autoComplete="username"
              autoCapitalize="none"
              autoFocus
              required
              withAsterisk={false}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <PasswordInput
              label="Password"
              autoComplete="current-password"
              required
              withAsterisk={false}
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
            />
            <Button type="submit" mt={4} fullWidth loading={signIn.isPending}>
              Sign in
            </Button>
          </Stack>
        </Paper>
        <Text size="xs" c="dimmed" ta="center">
          First time here? The name and password were printed once, when the portal first started.
        </Text>
      </Stack>
    </Center>
  );
}
