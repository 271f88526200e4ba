import type { Violation } from "../api/types";

export interface Span {
  from: number;
  to: number;
}

/** Where line `line` (from 1) of `text` stands, without its indent; null when there is no such line. */
export function spanOf(text: string, line: number | null | undefined): Span | null {
  if (!line || line < 1) return null;
  let from = 0;
  for (let at = 1; at < line; at++) {
    from = text.indexOf("\n", from) + 1;
    if (from === 0) return null;
  }
  const end = text.indexOf("\n", from);
  const to = end < 0 ? text.length : end;
  const indent = text.slice(from, to).search(/\S/);
  return { from: from + Math.max(0, indent), to };
}

/** The violations in the order in which one meets them; those without a line last. */
export const inOrder = (violations: Violation[]): Violation[] =>
  violations.toSorted((a, b) => (a.line ?? Number.POSITIVE_INFINITY) - (b.line ?? Number.POSITIVE_INFINITY) || 0);

/** What the API says of a refused document, from the details of its error. */
export function violationsOf(details: unknown): Violation[] {
  const found = details && typeof details === "object" ? (details as { violations?: unknown }).violations : null;
  return Array.isArray(found) ? (found as Violation[]) : [];
}
