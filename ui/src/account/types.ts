import type { components } from "../api/schema";

type Schema = components["schemas"];

export type Presence = Schema["Presence"]["status"];
export type AvatarLook = Schema["Avatar"];
export type Profile = Omit<Schema["Profile"], "status"> & { status: Presence };
export type OwnSession = Schema["SessionRow"];
export type TwoFactorStatus = Schema["FactorStatus"];
export type TwoFactorSetup = Schema["FactorSetup"];
export type OwnPasskey = Schema["PasskeyRow"];
export type SshKey = Schema["SshKeyRow"];
export type NewSshKey = Schema["SshKeyCreated"];
export type OwnCertificates = Schema["OwnCertificates"];
export type OwnCertificate = Schema["OwnCertificate"];
/** The file and, for P12, its password: shown once. */
export type IssuedCertificate = Schema["Made"];
export type Invite = Schema["InviteRow"];
export type NewKey = Schema["NewPortalKey"];

/** A row of GET /api/api-keys, whose shape the document leaves open. */
export interface OwnKey {
  id: number;
  name: string;
  key_prefix: string;
  scopes: string;
  /** portal, apps, or machine for the one of the portal's own shell. */
  style: string;
  rate_limit_rpm: number | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked: boolean;
}
