import type { AuditEntry, Invite } from "./types";

/** "reset_password" as "Reset password". */
export function inWords(action: string): string {
  const words = action.replaceAll(/[_.]/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What was done to, in a few words: "user ann", "invite code 3". */
export function targetOf(entry: Pick<AuditEntry, "target_type" | "target_id">): string {
  return [entry.target_type.replaceAll("_", " ").replaceAll("-", " "), entry.target_id].filter(Boolean).join(" ");
}

/** The details of an entry, one line each; values that are structures as JSON. */
export const detailLines = (details: Record<string, unknown>): [string, string][] =>
  Object.entries(details).map(([name, value]) => [
    name.replaceAll("_", " "),
    typeof value === "string" ? value : JSON.stringify(value),
  ]);

/** Why an invite no longer works, or "active". */
export function inviteState(invite: Invite, now: number): "active" | "revoked" | "expired" | "used" {
  if (invite.revoked_at) return "revoked";
  if (invite.expires_at && Date.parse(invite.expires_at) <= now) return "expired";
  if (invite.max_uses !== null && invite.uses >= invite.max_uses) return "used";
  return "active";
}

/** Host names, addresses or networks, one a line or between commas, as a list without doubles. */
export const listOf = (text: string): string[] => [...new Set(text.split(/[\s,;]+/).filter(Boolean))];

/** What retention counts, in words for people. */
export const KEPT_WORDS: Record<string, string> = {
  chat: "Messages in channels",
  dms: "Direct messages",
  notifications: "Notifications",
  activity: "Activity",
  service_logs: "Events of services",
  device_metrics: "Measurements of machines",
  audit_log: "Audit records",
  tokens: "Expired sessions",
  api_keys: "Ended API keys",
  invite_codes: "Ended invites",
  registrations: "Addresses of registrations",
  enrolment_tokens: "Ended enrolment tokens",
};
