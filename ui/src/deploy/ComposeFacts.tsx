import { Badge, Group, Loader, Paper, Stack, Table, Text } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import type { ComposeCheck } from "../api/types";
import { count } from "../parts/numbers";
import { Failed } from "../parts/states";
import classes from "./ComposeFacts.module.css";
import type { useComposeCheck } from "./compose";

/** What was found in a compose document: its services, and the one that visitors reach. */
export function ComposeFacts({ check }: { check: ReturnType<typeof useComposeCheck> }) {
  const { said, error, retry, current } = check;
  if (error) return <Failed error={error} what="the check of this document" retry={retry} />;
  if (!said) return null;
  const { ok, services, violations } = said;
  return (
    <Paper p="md" component="section" aria-label="What it says">
      <Stack gap="sm">
        <Group gap={8} aria-live="polite">
          {ok ? (
            <IconCircleCheck size={18} color="var(--good)" aria-hidden />
          ) : (
            <IconAlertTriangle size={18} color="var(--bad)" aria-hidden />
          )}
          <Text size="sm" fw={600}>
            {ok
              ? `Good: ${count(services.length, "service")}`
              : `${count(violations.length, "problem")} to solve before it can be deployed`}
          </Text>
          {!current && <Loader size={14} aria-label="Checking" />}
        </Group>
        {services.length > 0 && <Services said={said} />}
        {said.routed && (
          <Text size="xs" c="dimmed">
            {said.reason ?? `Requests go to ${said.routed}${said.port === null ? "" : `, port ${said.port}`}.`}
          </Text>
        )}
        {said.notes?.map((note) => (
          <Text key={note} size="xs" c="dimmed">
            {note}
          </Text>
        ))}
      </Stack>
    </Paper>
  );
}

function Services({ said }: { said: ComposeCheck }) {
  return (
    <Table className={classes.table} withRowBorders={false} verticalSpacing={4} horizontalSpacing={0}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Service</Table.Th>
          <Table.Th>Image</Table.Th>
          <Table.Th>Keeps</Table.Th>
          <Table.Th>Starts after</Table.Th>
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {said.services.map(({ name, image, volumes, depends_on }) => (
          <Table.Tr key={name} data-part={name}>
            <Table.Td>
              <Group gap={6} wrap="nowrap">
                <Text size="sm" fw={600}>
                  {name}
                </Text>
                {name === said.routed && (
                  <Badge size="xs" variant="light" tt="none">
                    visitors
                  </Badge>
                )}
              </Group>
            </Table.Td>
            <Table.Td className="mono">{image ?? "built here"}</Table.Td>
            <Table.Td c="dimmed">{volumes.join(", ") || "–"}</Table.Td>
            <Table.Td c="dimmed">{depends_on.join(", ") || "–"}</Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
