/** Who I am, as GET /api/me has it: what seed 002 documents and what the pages need beside it. */
export interface Profile {
  id: number;
  user_id: string;
  username: string;
  name: string;
  email: string | null;
  nickname: string | null;
  status: Presence;
  status_message: string;
  role: string;
  is_admin: boolean;
  avatar: AvatarLook | null;
  chat_anonymous: boolean;
  created_at: string;
  totp_enabled: boolean;
  passkeys: number;
  has_password: boolean;
  oidc: boolean;
  scopes_list?: string[];
  /** Null until the person chose a password of their own. */
  password_changed_at?: string | null;
}

export type Presence = "online" | "away" | "busy" | "dnd" | "offline";

export interface AvatarLook {
  color?: string | null;
  emoji?: string | null;
  initials?: string | null;
}

export interface OwnSession {
  id: string;
  name: string | null;
  method: string;
  address: string | null;
  user_agent: string | null;
  created_at: string;
  last_used_at: string | null;
  expires_at: string | null;
  current: boolean;
}

export interface TwoFactorStatus {
  enabled: boolean;
  backup_codes_remaining: number;
  methods?: string[];
}

export interface TwoFactorSetup {
  secret: string;
  uri: string;
  issuer: string;
  qr_svg?: string;
}

export interface OwnPasskey {
  id: string;
  name: string;
  created_at: string;
  last_used_at: string | null;
  transports: string[];
}

export interface OwnKey {
  id: number;
  name: string;
  key_prefix: string;
  scopes: string;
  style?: string;
  rate_limit_rpm: number | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked: boolean;
}

export interface NewKey {
  name: string;
  scopes: string;
  expires_in_days: number | null;
  rate_limit_rpm: number | null;
}

export interface SshKey {
  id: number;
  name: string;
  key_type: string;
  fingerprint: string;
  public_key?: string;
  created_at: string;
  last_used_at: string | null;
}

export interface NewSshKey extends SshKey {
  public_key: string;
  private_key: string;
}

export interface OwnCertificate {
  id: string;
  label: string;
  serial: string;
  createdAt: string;
  expiresAt: string;
  revoked: boolean;
  revokedAt?: string | null;
  lastUsedAt?: string | null;
}

/** The file and, for P12, its password: shown once. */
export interface IssuedCertificate {
  label: string;
  serial: string;
  expiresAt: string;
  p12?: string | null;
  p12Password?: string | null;
  pem?: string | null;
}

export interface Invite {
  id: number;
  code: string;
  type: string;
  expires_at: string | null;
}
