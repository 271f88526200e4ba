/** What a key may do, in words, from little to much. */
export const REACHES = [
  {
    value: "read",
    label: "Look at services",
    description: "Their state, logs and numbers; nothing can be changed",
    scopes: "services:read",
  },
  {
    value: "operate",
    label: "Start, stop and restart",
    description: "And look; nothing is deployed, no secret is read",
    scopes: "services:read,services:write",
  },
  {
    value: "deploy",
    label: "Deploy",
    description: "All about services, their secrets too: for a pipeline",
    scopes: "services:read,services:write,services:deploy,services:secrets",
  },
  { value: "all", label: "Everything that I may do", description: "Also what I may do later", scopes: "*" },
  { value: "own", label: "Choose one by one", description: "For whoever knows the scopes", scopes: "" },
] as const;
export type Reach = (typeof REACHES)[number]["value"];

/** What a person may do: what the role brings, or less. */
export const PERSON_REACHES = [
  { value: "role", label: "What the role brings", scopes: "" },
  ...REACHES.filter((one) => ["read", "operate", "deploy", "own"].includes(one.value)),
];

/** The scopes of a person for the API; nothing where the role brings them. */
export const personScopes = (reach: string, chosen: string[]): string[] | undefined =>
  reach === "role"
    ? undefined
    : reach === "own"
      ? chosen
      : split(PERSON_REACHES.find((one) => one.value === reach)?.scopes ?? "");

/** The scopes that there are, with what each opens. */
export const SCOPES: { scope: string; words: string }[] = [
  { scope: "services:read", words: "Look at services, logs and numbers" },
  { scope: "services:write", words: "Start, stop, restart, change services" },
  { scope: "services:deploy", words: "Deploy, redeploy, roll back" },
  { scope: "services:secrets", words: "Read the secrets of services" },
  { scope: "system:read", words: "Look at the machine" },
  { scope: "access:*", words: "Use what others opened to me" },
  { scope: "account:write", words: "Change my profile" },
  { scope: "account:keys", words: "Make and revoke my keys" },
  { scope: "account:security", words: "Change my password, second factor, sessions" },
  { scope: "customers:read", words: "Look at customers" },
  { scope: "customers:write", words: "Change customers" },
  { scope: "users:read", words: "Look at people" },
  { scope: "users:write", words: "Change people and invites" },
  { scope: "audit:read", words: "Read the audit log" },
  { scope: "certificates:read", words: "Look at certificates" },
  { scope: "certificates:write", words: "Issue and revoke certificates" },
  { scope: "settings:read", words: "Look at the settings" },
  { scope: "settings:write", words: "Change the settings" },
];

const split = (text: string) => text.split(",").flatMap((part) => part.trim() || []);

/** What a key may do, for a list: the words of a reach, else the scopes themselves. */
export function reachWords(scopes: string): string {
  const mine = new Set(split(scopes));
  const known = REACHES.find((reach) => {
    const theirs = split(reach.scopes);
    if (!theirs.length) return false;
    return theirs.length === mine.size && theirs.every((scope) => mine.has(scope));
  });
  if (known) return known.label;
  return [...mine].join(", ") || "Nothing";
}

const matches = (pattern: string, scope: string) => {
  if (pattern === "*") return true;
  const [ours, theirs] = [pattern.split(":"), scope.split(":")];
  return ours.length === theirs.length && ours.every((part, index) => part === "*" || part === theirs[index]);
};

/** Whether somebody with `held` can give all of `scopes` away; without knowing what is held, the server decides. */
export const canGive = (held: string[] | undefined, scopes: string) =>
  !held?.length || scopes === "*" || split(scopes).every((scope) => held.some((mine) => matches(mine, scope)));
