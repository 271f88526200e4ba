import type { components } from "../api/schema";

type Schema = components["schemas"];

export type Role = Schema["Role"];
/** An account. `scopes_given`: somebody chose the scopes; otherwise the role brings them. */
export type Person = Schema["UserRow"];
export type People = Schema["UserPage"];
/** `password` is there this once, when nobody chose one. */
export type NewPerson = Person & { password?: string | null };
export type PersonSession = Schema["SessionRow"];

export type InviteType = Schema["NewInvite"]["type"];
export type Invite = Omit<Schema["InviteRow"], "type"> & { type: InviteType };
export type Newcomer = Schema["RegistrationRow"];

export interface AuditEntry {
  id: number;
  created_at: string;
  actor_id: number;
  actor_username: string;
  credential: string;
  ip_address: string;
  action: string;
  target_type: string;
  target_id: string;
  result: "done" | "refused" | "failed";
  status: number;
  details: Record<string, unknown>;
}

export interface Verdict {
  intact: boolean;
  records: number;
  problems: string[];
}

export interface Activity {
  id: number;
  username: string;
  action: string;
  detail: string;
  ip_address: string;
  created_at: string;
}

export type PortalStats = Schema["Stats"];

export type CertificateInfo = Schema["InfoOut"];
export type ServerCertificate = Schema["RowOut"];
export type AcmeOrder = Schema["OrderOut"];
export type Challenge = AcmeOrder["challenge"];
/** What became of an upload, a renewal or an order. */
export type Installed = Schema["InstalledOut"];

export type ClientCertificate = Schema["AgentRow"];
export type IssuedCertificate = Schema["Made"];
export type EnrolmentToken = Schema["EnrolmentInvitation"];

export type PortalAddress = Schema["PortalAddress"];
export type Permissions = Schema["UserPermissions"];
export type RateLimits = Schema["RateLimitSettings"];
export type Outbound = Schema["OutboundAllowed"];
export type SealKeys = Schema["KeyList"];
export type KeysRotated = Schema["RotatedBody"];
export type SettingRow = Schema["SettingRow"];

export type Retention = Schema["RetentionState"];
export type RetentionPreview = Schema["RetentionPreview"];
export type RetentionDone = Schema["RetentionDone"];
