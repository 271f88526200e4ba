import { Alert, Button, Group, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "../api/calls";
import { ApiError } from "../api/client";
import { serviceQuery, variablesQuery } from "../api/queries";
import type { ServiceDetail } from "../api/types";
import { refused } from "../deploy/compose";
import { tell } from "../parts/tell";

const LATER = "Applies when you redeploy.";

/** Saves a part of the settings and says when it will apply. */
export function useSave(service: ServiceDetail, what: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Record<string, unknown>) => api.change(service.name, body),
    onSuccess: (detail) => {
      client.setQueryData(serviceQuery(service.name).queryKey, detail);
      tell(`${what} saved. ${LATER}`);
      return client.invalidateQueries(variablesQuery(service.name));
    },
  });
}

/** The buttons under a part that was changed, and why it could not be saved; a document shows that itself. */
export function Save({
  changed,
  save,
  run,
  undo,
}: {
  changed: boolean;
  save: ReturnType<typeof useSave>;
  run: () => void;
  undo: () => void;
}) {
  const fields = save.error instanceof ApiError ? Object.entries(save.error.fields) : [];
  const elsewhere = refused(save.error).length > 0;
  if (!changed && !save.error) return null;
  return (
    <Stack gap="xs" mt="md">
      {save.error && !elsewhere && (
        <Alert color="red" variant="light" p="xs" role="alert">
          {fields.length ? fields.map(([field, why]) => `${field}: ${why}`).join("\n") : save.error.message}
        </Alert>
      )}
      {changed && (
        <Group gap="xs">
          <Button size="xs" loading={save.isPending} onClick={run}>
            Save
          </Button>
          <Button size="xs" variant="default" disabled={save.isPending} onClick={undo}>
            Undo
          </Button>
          <Text size="xs" c="dimmed">
            {LATER}
          </Text>
        </Group>
      )}
    </Stack>
  );
}
