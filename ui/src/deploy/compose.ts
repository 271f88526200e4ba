import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { api } from "../api/calls";
import type { Violation } from "../api/types";
import { violationsOf } from "../editor/violations";

/** Milliseconds without a key before the portal is asked. */
const PAUSE = 400;

/** What the portal says of a compose document while it is written. `current` is false while it still reads. */
export function useComposeCheck(compose: string, variables: Record<string, string>) {
  const asked = useMemo(() => ({ compose, variables }), [compose, variables]);
  const [settled] = useDebouncedValue(asked, PAUSE);
  const check = useQuery({
    queryKey: ["compose-check", settled],
    queryFn: ({ signal }) => api.checkCompose(settled, signal),
    enabled: settled.compose.trim() !== "",
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    gcTime: 60_000,
  });
  const said = compose.trim() ? check.data : undefined;
  return {
    said,
    error: check.error,
    retry: check.refetch,
    current: settled === asked && !check.isFetching && !check.isPlaceholderData,
    violations: said?.violations ?? NONE,
  };
}

const NONE: Violation[] = [];

/** The violations that a refused deploy names. */
export const refused = (error: Error | null): Violation[] =>
  error && "body" in error ? violationsOf((error.body as { details?: unknown }).details) : NONE;

const SECRET = /(PASS(WORD|WD|PHRASE)?|SECRET|TOKEN|PRIVATE|CREDENTIAL|API_?KEY|_KEY)$/i;

/** Whether the value of a variable called `name` should not be read over a shoulder. */
export const looksSecret = (name: string) => SECRET.test(name);
