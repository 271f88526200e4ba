import { Alert, Button, Group, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconRefresh } from "@tabler/icons-react";
import type { ReactNode } from "react";

/** Something could not be shown: why, and the way to try again. */
export function Failed({ error, what, retry }: { error: Error; what: string; retry?: () => void }) {
  return (
    <Alert color="red" variant="light" icon={<IconAlertTriangle />} title={`Could not load ${what}`} role="alert">
      <Group justify="space-between" gap="sm">
        <Text size="sm">{error.message}</Text>
        {retry && (
          <Button size="xs" variant="default" leftSection={<IconRefresh size={14} />} onClick={retry}>
            Try again
          </Button>
        )}
      </Group>
    </Alert>
  );
}

/** Nothing is here: why that is fine, and what to do next. */
export function Empty(props: {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  flat?: boolean;
}) {
  const body = (
    <Stack align="center" gap={6} py={36} px="md" ta="center">
      <Text c="dimmed" lh={0}>
        {props.icon}
      </Text>
      <Title order={3} fz="md">
        {props.title}
      </Title>
      {props.children && (
        <Text size="sm" c="dimmed" maw={440}>
          {props.children}
        </Text>
      )}
      {props.action && <Group mt="xs">{props.action}</Group>}
    </Stack>
  );
  return props.flat ? body : <Paper>{body}</Paper>;
}

/** Grey bars in the shape of what is coming. */
export function Loading({ rows = 5, height = 20 }: { rows?: number; height?: number }) {
  return (
    <Stack gap="sm" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the bars are all the same
        <Skeleton key={row} height={height} width={`${100 - ((row * 13) % 30)}%`} />
      ))}
    </Stack>
  );
}
