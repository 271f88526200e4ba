import { Alert, Center, Paper, Stack, Text, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { FormEvent, ReactNode } from "react";
import { Mark } from "../frame/Mark";
import { lasted } from "../parts/time";
import { useNow } from "../parts/When";
import { type Refusal, refusalOf } from "./refusal";

interface EntranceProps {
  title: string;
  label: string;
  below?: ReactNode;
  onSubmit: (event: FormEvent) => void;
  children: ReactNode;
}

/** A page for somebody who is not signed in: the mark, one form, and what else can be done below it. */
export function Entrance({ title, label, below, onSubmit, children }: EntranceProps) {
  useDocumentTitle(`${label} · Homeport`);
  return (
    <Center mih="100dvh" p="md" component="main">
      <Stack w="100%" maw={360} gap="lg">
        <Stack align="center" gap={10}>
          <Mark size={48} />
          <Title order={1} ta="center">
            {title}
          </Title>
        </Stack>
        <Paper p="lg" component="form" onSubmit={onSubmit} aria-label={label}>
          <Stack gap="sm">{children}</Stack>
        </Paper>
        {below && (
          <Stack gap={6} ta="center" fz="xs">
            {below}
          </Stack>
        )}
      </Stack>
    </Center>
  );
}

/** Why somebody was not let in, with the seconds running down where time helps. */
export function Refused({ error, at }: { error: Error; at: number }) {
  const refusal = refusalOf(error, at);
  return (
    <Alert color="red" variant="light" role="alert" p="xs" title={refusal.title}>
      {refusal.until ? <Wait refusal={refusal} until={refusal.until} /> : refusal.message}
    </Alert>
  );
}

const waitWords = (seconds: number) => {
  if (seconds >= 120) return lasted(seconds * 1000);
  return seconds === 1 ? "1 second" : `${seconds} seconds`;
};

function Wait({ refusal, until }: { refusal: Refusal; until: number }) {
  const left = Math.ceil((until - useNow()) / 1000);
  if (left <= 0) return <Text size="sm">You can try again now.</Text>;
  return (
    <Text size="sm">
      {refusal.message.replace(/[,.]? *(Try again|retry) in.*$/i, ".")} Try again in{" "}
      <b className="num">{waitWords(left)}</b>.
    </Text>
  );
}
