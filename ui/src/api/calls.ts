import { call } from "./client";
import type {
  Analysis,
  ApiKey,
  ComposeCheck,
  Container,
  CreateService,
  Customer,
  CustomerUser,
  DeployStarted,
  Domain,
  Endpoint,
  EndpointHealth,
  Job,
  LogEntry,
  Metrics,
  NewApiKey,
  NewCustomer,
  NewPlan,
  Page,
  PatchService,
  Plan,
  Portal,
  Release,
  ServiceDetail,
  ServiceEvent,
  ServiceRow,
  SystemHealth,
  Template,
  TemplateDetail,
  Usage,
  User,
  Variable,
} from "./types";

export interface ServiceQuery {
  page?: number;
  per_page?: number;
  type?: string;
  status?: string;
  search?: string;
  sort?: string;
  order?: string;
}

type List<T> = { data: T[]; total: number };
type Action = "start" | "stop" | "restart" | "reload";
const at = (ref: string, rest = "") => `/api/services/${encodeURIComponent(ref)}${rest}`;
/** A repeated click or a retry after a lost answer must not deploy twice. */
const once = (key: string) => ({ "Idempotency-Key": key });

export const api = {
  login: (username: string, password: string) =>
    call<{ user: User }>("POST", "/api/auth/login", { body: { username, password } }),
  logout: () => call<{ logout_url?: string | null }>("POST", "/api/auth/logout"),
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
  /** Looks at a repository and says how it would be deployed; nothing is created. */
  preview: (body: { ai_url: string; git_branch?: string }, signal?: AbortSignal) =>
    call<{ analysis: Analysis }>("POST", "/api/services", {
      body: { name: "preview", ...body, deploy_method: "ai", preview: true },
      signal,
    }),
  checkCompose: (body: { compose: string; variables?: Record<string, string> }, signal?: AbortSignal) =>
    call<ComposeCheck>("POST", "/api/compose/check", { body, signal }),
  containers: (ref: string) => call<{ data: Container[] }>("GET", at(ref, "/containers")),
  domains: (ref: string) => call<{ data: Domain[] }>("GET", at(ref, "/domains")),
  addDomain: (ref: string, domain: string) => call<Domain>("POST", at(ref, "/domains"), { body: { domain } }),
  verifyDomain: (ref: string, domain: string) =>
    call<Domain>("POST", at(ref, `/domains/${encodeURIComponent(domain)}/verify`)),
  removeDomain: (ref: string, domain: string) => call("DELETE", at(ref, `/domains/${encodeURIComponent(domain)}`)),
  health: (ref: string) => call<EndpointHealth>("GET", at(ref, "/health")),
  addEndpoint: (body: Endpoint) =>
    call<ServiceDetail>("POST", "/api/services", { body: { kind: "endpoint", ...body } }),
  changeEndpoint: (ref: string, body: Partial<Endpoint>) => call<ServiceDetail>("PATCH", at(ref), { body }),
  machine: () => call<SystemHealth>("GET", "/api/system/health"),
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

  customers: (query: { page?: number; per_page?: number; search?: string; status?: string }) =>
    call<Page<Customer>>("GET", "/api/customers", { query }),
  customer: (id: string) => call<Customer>("GET", `/api/customers/${id}`),
  addCustomer: (body: NewCustomer) => call<Customer>("POST", "/api/customers", { body }),
  changeCustomer: (id: string, body: Partial<NewCustomer>) => call<Customer>("PATCH", `/api/customers/${id}`, { body }),
  removeCustomer: (id: string) => call("DELETE", `/api/customers/${id}`),
  usage: (id: string) => call<Usage>("GET", `/api/customers/${id}/usage`),
  customerUsers: (id: string) => call<List<CustomerUser>>("GET", `/api/customers/${id}/users`),
  addCustomerUser: (id: string, user: string) =>
    call<List<CustomerUser>>("PUT", `/api/customers/${id}/users/${encodeURIComponent(user)}`),
  removeCustomerUser: (id: string, user: string) =>
    call("DELETE", `/api/customers/${id}/users/${encodeURIComponent(user)}`),
  plans: () => call<Page<Plan>>("GET", "/api/plans", { query: { per_page: 100 } }),
  addPlan: (body: NewPlan) => call<Plan>("POST", "/api/plans", { body }),
  changePlan: (id: string, body: Partial<NewPlan>) => call<Plan>("PATCH", `/api/plans/${id}`, { body }),
  removePlan: (id: string) => call("DELETE", `/api/plans/${id}`),

  templates: () => call<List<Template>>("GET", "/api/templates"),
  template: (id: string) => call<TemplateDetail>("GET", `/api/templates/${encodeURIComponent(id)}`),
};
