import { queryOptions } from "@tanstack/react-query";
import { call } from "../api/client";
import type { CreationJson } from "../session/webauthn";
import type {
  AvatarLook,
  Invite,
  IssuedCertificate,
  NewKey,
  NewSshKey,
  OwnCertificates,
  OwnKey,
  OwnPasskey,
  OwnSession,
  Presence,
  Profile,
  SshKey,
  TwoFactorSetup,
  TwoFactorStatus,
} from "./types";

const own = (id: string | number) => encodeURIComponent(String(id));

/** What a person does about their own account. */
export const account = {
  profile: () => call<Profile>("GET", "/api/me"),
  changeProfile: (body: { name?: string; email?: string | null }) => call<Profile>("PATCH", "/api/me", { body }),
  changeStatus: (status: Presence, status_message: string) =>
    call("PUT", "/api/me/status", { body: { status, status_message } }),
  changeNickname: (nickname: string) => call("PUT", "/api/me/nickname", { body: { nickname } }),
  changeAvatar: (body: AvatarLook) => call("PUT", "/api/me/avatar", { body }),
  changeAnonymous: (anonymous: boolean) => call("PUT", "/api/me/anonymous", { body: { anonymous } }),
  changePassword: (body: { current_password: string; new_password: string; keep_api_keys?: boolean }) =>
    call("POST", "/api/me/password", { body }),

  sessions: () => call<{ sessions: OwnSession[] }>("GET", "/api/me/sessions"),
  endSession: (id: string) => call("DELETE", `/api/me/sessions/${own(id)}`),
  endOtherSessions: () => call("DELETE", "/api/me/sessions"),

  twoFactor: () => call<TwoFactorStatus>("GET", "/api/user/2fa/status"),
  beginTwoFactor: () => call<TwoFactorSetup>("POST", "/api/user/2fa/setup"),
  enableTwoFactor: (code: string) =>
    call<{ backup_codes: string[] }>("POST", "/api/user/2fa/verify", { body: { code } }),
  disableTwoFactor: (body: { code: string } | { password: string }) => call("POST", "/api/user/2fa/disable", { body }),
  newBackupCodes: (code: string) =>
    call<{ backup_codes: string[] }>("POST", "/api/user/2fa/backup-codes", { body: { code } }),

  passkeys: () => call<{ passkeys: OwnPasskey[] }>("GET", "/api/user/passkeys"),
  passkeyOptions: () => call<{ publicKey: CreationJson }>("POST", "/api/user/passkeys/options", { body: {} }),
  addPasskey: (name: string, credential: Record<string, unknown>) =>
    call<OwnPasskey>("POST", "/api/user/passkeys", { body: { name, credential } }),
  removePasskey: (id: string) => call("DELETE", `/api/user/passkeys/${own(id)}`),

  keys: () => call<{ api_keys: OwnKey[] }>("GET", "/api/api-keys"),
  createKey: (body: NewKey) => call<OwnKey & { api_key: string }>("POST", "/api/api-keys", { body }),
  revokeKey: (id: number) => call("POST", `/api/api-keys/${own(id)}/revoke`),
  deleteKey: (id: number) => call("DELETE", `/api/api-keys/${own(id)}`),

  sshKeys: () => call<{ keys: SshKey[] }>("GET", "/api/ssh-keys"),
  createSshKey: (body: { name: string; key_type: string }) => call<NewSshKey>("POST", "/api/ssh-keys", { body }),
  removeSshKey: (id: number) => call("DELETE", `/api/ssh-keys/${own(id)}`),
  /** The public keys as a server's authorized_keys file has them. */
  authorizedKeys: async () => {
    const response = await fetch("/api/ssh-keys/authorized", { credentials: "same-origin" });
    if (!response.ok) throw new Error(`The portal answered ${response.status}.`);
    return response.text();
  },

  certificates: () => call<OwnCertificates>("GET", "/api/me/certificates"),
  issueCertificate: (body: { label: string; format: "p12" | "pem" }) =>
    call<IssuedCertificate>("POST", "/api/me/certificates", { body }),
  revokeCertificate: (id: string) => call("DELETE", `/api/me/certificates/${own(id)}`),

  invite: (role: string) =>
    call<Invite>("POST", "/api/admin/invite-codes", { body: { type: "single_use", label: "First invitation", role } }),
};

export const profileQuery = queryOptions({ queryKey: ["account", "profile"], queryFn: account.profile });
export const ownSessionsQuery = queryOptions({
  queryKey: ["account", "sessions"],
  queryFn: account.sessions,
  staleTime: 0,
  refetchInterval: 15_000,
});
export const twoFactorQuery = queryOptions({ queryKey: ["account", "2fa"], queryFn: account.twoFactor });
export const passkeysQuery = queryOptions({ queryKey: ["account", "passkeys"], queryFn: account.passkeys });
export const ownKeysQuery = queryOptions({ queryKey: ["account", "keys"], queryFn: account.keys });
export const sshKeysQuery = queryOptions({ queryKey: ["account", "ssh"], queryFn: account.sshKeys });
export const authorizedQuery = queryOptions({
  queryKey: ["account", "ssh", "authorized"],
  queryFn: account.authorizedKeys,
});
export const certificatesQuery = queryOptions({ queryKey: ["account", "certificates"], queryFn: account.certificates });
