import { call } from "./client";
import type {
  ApiKey,
  CreateService,
  DeployStarted,
  Job,
  LogEntry,
  Metrics,
  NewApiKey,
  Page,
  PatchService,
  Portal,
  Release,
  ServiceDetail,
  ServiceEvent,
  ServiceRow,
  Template,
  TemplateDetail,
  User,
  Variable,
} from "./types";

export interface ServiceQuery {
  page?: number;
  per_page?: number;
  status?: string;
  search?: string;
  sort?: string;
  order?: string;
}

type List<T> = { data: T[]; total: number };
type Action = "start" | "stop" | "restart";
const at = (ref: string, rest = "") => `/api/services/${encodeURIComponent(ref)}${rest}`;
/** A repeated click or a retry after a lost answer must not deploy twice. */
const once = (key: string) => ({ "Idempotency-Key": key });

export const api = {
  login: (username: string, password: string) =>
    call<{ user: User }>("POST", "/api/auth/login", { body: { username, password } }),
  logout: () => call("POST", "/api/auth/logout"),
  me: () => call<User>("GET", "/api/auth/me"),
  portal: () => call<Portal>("GET", "/api/portal"),
  keys: () => call<List<ApiKey>>("GET", "/api/auth/api-keys"),
  createKey: (body: { name: string; expires_at?: string }) => call<NewApiKey>("POST", "/api/auth/api-keys", { body }),
  revokeKey: (id: string) => call("DELETE", `/api/auth/api-keys/${id}`),

  services: (query: ServiceQuery, signal?: AbortSignal) =>
    call<Page<ServiceRow>>("GET", "/api/services", { query: { page: 1, ...query }, signal }),
  service: (ref: string) => call<ServiceDetail>("GET", at(ref)),
  create: (body: CreateService, key: string) =>
    call<DeployStarted>("POST", "/api/services", { body, headers: once(key) }),
  change: (ref: string, body: PatchService) => call<ServiceDetail>("PATCH", at(ref), { body }),
  act: (ref: string, action: Action) => call<{ message: string }>("POST", at(ref, `/${action}`)),
  redeploy: (ref: string, body: { upload_id?: string } = {}) =>
    call<DeployStarted>("POST", at(ref, "/redeploy"), { body }),
  rollback: (ref: string, release: string | number) =>
    call<DeployStarted>("POST", at(ref, "/rollback"), { body: { release } }),
  remove: (ref: string) => call("DELETE", at(ref)),
  logs: (ref: string, query: { tail?: number; since?: string }) =>
    call<{ logs: LogEntry[] }>("GET", at(ref, "/logs"), { query }),
  events: (ref: string, query: { page?: number; per_page?: number }) =>
    call<Page<ServiceEvent>>("GET", at(ref, "/events"), { query }),
  recent: (limit: number) => call<{ data: ServiceEvent[] }>("GET", "/api/events", { query: { limit } }),
  releases: (ref: string) => call<List<Release>>("GET", at(ref, "/releases")),
  variables: (ref: string, reveal: boolean) =>
    call<{ data: Variable[] }>("GET", at(ref, "/variables"), { query: { reveal: reveal || undefined } }),
  metrics: (ref: string, minutes: number) => call<Metrics>("GET", at(ref, "/metrics"), { query: { minutes } }),

  jobs: (query: { service?: string; status?: string; page?: number; per_page?: number }) =>
    call<Page<Job>>("GET", "/api/jobs", { query }),
  job: (id: string) => call<Job>("GET", `/api/jobs/${id}`),
  cancel: (id: string) => call<Job>("POST", `/api/jobs/${id}/cancel`),

  templates: () => call<List<Template>>("GET", "/api/templates"),
  template: (id: string) => call<TemplateDetail>("GET", `/api/templates/${encodeURIComponent(id)}`),
};
