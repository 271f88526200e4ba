import { Container, Group, Stack, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";

/** A page: its title, what can be done here, and its content. */
export function Page(props: { title: string; actions?: ReactNode; size?: number; children: ReactNode }) {
  useDocumentTitle(`${props.title} · Homeport`);
  return (
    <Container size={1180} px={0}>
      <Stack gap="md" maw={props.size}>
        <Group justify="space-between" gap="sm" mih={36}>
          <Title order={1}>{props.title}</Title>
          {props.actions}
        </Group>
        {props.children}
      </Stack>
    </Container>
  );
}

/** A titled box of a page. */
export function Section(props: {
  title: string;
  aside?: ReactNode;
  hint?: ReactNode;
  children: ReactNode;
  id?: string;
}) {
  return (
    <section aria-label={props.title} id={props.id}>
      <Group justify="space-between" mb={8} mih={30} gap="xs">
        <Group gap="xs" align="baseline">
          <Title order={2} fz="sm">
            {props.title}
          </Title>
          {props.hint}
        </Group>
        {props.aside}
      </Group>
      {props.children}
    </section>
  );
}
