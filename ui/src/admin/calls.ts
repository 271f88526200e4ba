import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { call } from "../api/client";
import type {
  Activity,
  AuditEntry,
  CertificateInfo,
  Challenge,
  ClientCertificate,
  EnrolmentToken,
  Installed,
  Invite,
  InviteType,
  IssuedCertificate,
  KeysRotated,
  Newcomer,
  NewPerson,
  Outbound,
  People,
  Permissions,
  PersonSession,
  PortalAddress,
  PortalStats,
  RateLimits,
  Retention,
  RetentionDone,
  RetentionPreview,
  Role,
  SealKeys,
  ServerCertificate,
  SettingRow,
  Verdict,
} from "./types";

const part = (text: string | number) => encodeURIComponent(String(text));
const user = (id: number, rest = "") => `/api/users/${id}${rest}`;

/** What an administrator does. */
export const admin = {
  people: (query: { search?: string; page?: number; per_page?: number }) =>
    call<People>("GET", "/api/users", { query: { page: 1, ...query } }),
  addPerson: (body: { username: string; email?: string; role: Role; scopes?: string[]; customer_id?: string }) =>
    call<NewPerson>("POST", "/api/users", { body }),
  setRole: (id: number, body: { role: Role; scopes?: string }) => call("PUT", user(id, "/role"), { body }),
  resetPassword: (id: number, new_password?: string) =>
    call<{ password?: string | null }>("POST", user(id, "/reset-password"), { body: { new_password } }),
  ban: (id: number, reason: string) => call("POST", user(id, "/ban"), { body: { reason: reason || undefined } }),
  unban: (id: number) => call("POST", user(id, "/unban")),
  resetSecondFactor: (id: number) => call("POST", user(id, "/2fa/reset")),
  sessionsOf: (id: number) => call<{ sessions: PersonSession[] }>("GET", user(id, "/sessions")),
  endSessionsOf: (id: number) => call("DELETE", user(id, "/sessions")),
  removePerson: (id: number) => call("DELETE", user(id)),

  invites: () => call<{ codes: Invite[]; legacy_daily_code: string | null }>("GET", "/api/invite-code"),
  makeInvite: (body: {
    type: InviteType;
    label?: string;
    duration_days?: number;
    role?: Role;
    scopes?: string[];
    customer_id?: string;
  }) => call<Invite>("POST", "/api/admin/invite-codes", { body }),
  revokeInvite: (id: number) => call("DELETE", `/api/admin/invite-codes/${id}`),
  cameBy: (id: number) => call<{ registrations: Newcomer[] }>("GET", `/api/admin/invite-codes/${id}/registrations`),

  audit: (query: {
    limit: number;
    offset: number;
    action?: string;
    actor_id?: string;
    since?: string;
    target_type?: string;
    result?: string;
  }) => call<{ entries: AuditEntry[]; total: number }>("GET", "/api/admin/audit-log", { query }),
  verifyAudit: () => call<Verdict>("GET", "/api/admin/audit-log/verify"),
  activity: () => call<{ activities: Activity[] }>("GET", "/api/activity", { query: { limit: 50 } }),
  stats: () => call<PortalStats>("GET", "/api/stats"),

  certificate: () => call<CertificateInfo>("GET", "/api/certs/info"),
  certificates: () => call<{ certs: ServerCertificate[] }>("GET", "/api/certs"),
  uploadCertificate: (body: { cert: string; key: string }) => call<Installed>("POST", "/api/certs/upload", { body }),
  selfSign: (body: { hostname: string; validity_days: number }) =>
    call<Installed>("POST", "/api/certs/self-signed", { body }),
  orderCertificate: (body: { hostname: string; names: string[]; email?: string; challenge: Challenge }) =>
    call<Installed>("POST", "/api/certs/acme", { body }),
  order: (id: string) => call<Installed["order"]>("GET", `/api/certs/orders/${part(id)}`),
  continueOrder: (id: string) => call<Installed>("POST", `/api/certs/orders/${part(id)}/continue`),
  renew: (domain: string) => call<Installed>("POST", `/api/certs/${part(domain)}/renew`),
  removeCertificate: (domain: string) => call("DELETE", `/api/certs/${part(domain)}`),

  clients: () => call<{ agents: ClientCertificate[]; port?: number | null }>("GET", "/api/certs/agent"),
  issueClient: (body: { label: string; capabilities: string[]; format: "p12" | "pem" }) =>
    call<IssuedCertificate>("POST", "/api/certs/agent", { body }),
  inviteClient: (body: { label: string; capabilities: string[] }) =>
    call<EnrolmentToken>("POST", "/api/certs/agent/enroll", { body }),
  revokeClient: (id: string) => call("DELETE", `/api/certs/agent/${part(id)}`),
  setCapabilities: (label: string, capabilities: string[]) =>
    call("PATCH", `/api/certs/agent/${part(label)}/capabilities`, { body: { capabilities } }),

  address: () => call<PortalAddress>("GET", "/api/settings/hostname"),
  setAddress: (body: { hostname?: string; stream_hostname?: string; port?: number }) =>
    call<PortalAddress>("PUT", "/api/settings/hostname", { body }),
  permissions: () => call<Permissions>("GET", "/api/settings/permissions"),
  setPermissions: (body: Partial<Permissions>) => call<Permissions>("PUT", "/api/settings/permissions", { body }),
  outbound: () => call<Outbound>("GET", "/api/settings/outbound"),
  setOutbound: (allow: string[]) => call<Outbound>("PUT", "/api/settings/outbound", { body: { allow } }),
  rateLimits: () => call<RateLimits>("GET", "/api/settings/rate-limits"),
  keys: () => call<SealKeys>("GET", "/api/admin/keys"),
  rotateKeys: () => call<KeysRotated>("POST", "/api/admin/keys/rotate", { body: {} }),
  settings: () => call<{ settings: SettingRow[] }>("GET", "/api/settings"),

  retention: () => call<Retention>("GET", "/api/admin/retention"),
  setRetention: (body: Record<string, number | boolean>) =>
    call<{ updated: string[] }>("PUT", "/api/admin/retention", { body }),
  previewRetention: () => call<RetentionPreview>("GET", "/api/admin/retention/preview"),
  runRetention: () => call<RetentionDone>("POST", "/api/admin/retention/run"),
};

const ADMIN = "admin";
export const peopleQuery = (query: { search?: string; page?: number; per_page?: number }) =>
  queryOptions({
    queryKey: [ADMIN, "people", query],
    queryFn: () => admin.people(query),
    placeholderData: keepPreviousData,
  });
export const sessionsOfQuery = (id: number) =>
  queryOptions({ queryKey: [ADMIN, "sessions", id], queryFn: () => admin.sessionsOf(id), staleTime: 0 });
export const invitesQuery = queryOptions({ queryKey: [ADMIN, "invites"], queryFn: admin.invites });
export const cameByQuery = (id: number) =>
  queryOptions({ queryKey: [ADMIN, "invites", id], queryFn: () => admin.cameBy(id), staleTime: 0 });
export const auditQuery = (query: Parameters<typeof admin.audit>[0]) =>
  queryOptions({
    queryKey: [ADMIN, "audit", query],
    queryFn: () => admin.audit(query),
    placeholderData: keepPreviousData,
    staleTime: 0,
  });
export const activityQuery = queryOptions({
  queryKey: [ADMIN, "activity"],
  queryFn: admin.activity,
  refetchInterval: 15_000,
  staleTime: 0,
});
export const statsQuery = queryOptions({ queryKey: [ADMIN, "stats"], queryFn: admin.stats, refetchInterval: 10_000 });
export const certificateQuery = queryOptions({ queryKey: [ADMIN, "certs", "info"], queryFn: admin.certificate });
export const certificatesQuery = queryOptions({ queryKey: [ADMIN, "certs", "list"], queryFn: admin.certificates });
export const clientsQuery = queryOptions({ queryKey: [ADMIN, "clients"], queryFn: admin.clients });
export const addressQuery = queryOptions({ queryKey: [ADMIN, "address"], queryFn: admin.address });
export const permissionsQuery = queryOptions({ queryKey: [ADMIN, "permissions"], queryFn: admin.permissions });
export const outboundQuery = queryOptions({ queryKey: [ADMIN, "outbound"], queryFn: admin.outbound });
export const rateLimitsQuery = queryOptions({ queryKey: [ADMIN, "rate limits"], queryFn: admin.rateLimits });
export const keysQuery = queryOptions({ queryKey: [ADMIN, "keys"], queryFn: admin.keys });
export const settingsQuery = queryOptions({ queryKey: [ADMIN, "settings"], queryFn: admin.settings });
export const retentionQuery = queryOptions({ queryKey: [ADMIN, "retention"], queryFn: admin.retention, staleTime: 0 });
export const previewQuery = queryOptions({
  queryKey: [ADMIN, "retention", "preview"],
  queryFn: admin.previewRetention,
  staleTime: 0,
});
