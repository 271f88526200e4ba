export const VERBS = [
  "open",
  "logs",
  "restart",
  "start",
  "stop",
  "redeploy",
  "share",
  "releases",
  "events",
  "settings",
] as const;
export type ServiceVerb = (typeof VERBS)[number];

export interface Command {
  verb: ServiceVerb | "deploy" | null;
  /** What to look for: the name of a service or, after "deploy", of a template. */
  rest: string;
}

/** Reads "restart blog", "logs hel" or just "blog". A verb may be cut short as long as it is clear: "red blog". */
export function readCommand(text: string): Command {
  const [first = "", ...others] = text.trim().toLowerCase().split(/\s+/);
  const rest = others.join(" ");
  const known = [...VERBS, "deploy"] as const;
  const verb = known.find((word) => word === first);
  if (verb) return { verb, rest };
  const fits = known.filter((word) => first.length >= 2 && word.startsWith(first));
  const only = fits.length === 1 ? fits[0] : undefined;
  return rest && only ? { verb: only, rest } : { verb: null, rest: text.trim().toLowerCase() };
}

/** Whether `verb` does something for a service in this state. */
export function fits(verb: ServiceVerb, status: string): boolean {
  if (verb === "start") return status === "stopped" || status === "failed";
  if (verb === "stop" || verb === "restart") return status === "running";
  if (verb === "redeploy") return status !== "deploying";
  return true;
}
