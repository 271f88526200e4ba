import type { Row } from "../deploy/Variables";

/** What to send: values typed anew, and null for what was removed. */
export function changes(before: Row[], after: Row[]): Record<string, string | null> {
  const changed: Record<string, string | null> = {};
  const old = new Map(before.map((row) => [row.name, row]));
  for (const { name, value, masked } of after)
    if (name && !masked && (old.get(name)?.masked || old.get(name)?.value !== value)) changed[name] = value;
  const left = new Set(after.map((row) => row.name));
  for (const name of old.keys()) if (!left.has(name)) changed[name] = null;
  return changed;
}
