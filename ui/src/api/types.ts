import type { components } from "./schema";

type Schema = components["schemas"];

export type User = Schema["Me"];
export type Verb = Schema["Verb"] | "customers.read" | "customers.write" | "users.delete";

export type ServiceKind = "app" | "unit" | "endpoint" | "remote";
export type Driver = "process" | "compose" | "swarm";

/** What every kind of service adds to a row; a kind that has no such thing leaves it null. */
interface KindFields {
  /** Apps: running, stopped, deploying, failed. Units: active, inactive, failed, unknown, reloading. */
  status: string;
  /** For people: "5d 3h 20m". */
  uptime: string | number | null;
  uptime_seconds?: number | null;
  driver?: string | null;
  display_name?: string | null;
  description?: string | null;
  host?: string | null;
  required_scopes?: string[] | null;
  scopes?: string[] | null;
  /** Units: systemd's own word, as "running", "dead" or "auto-restart". */
  sub_state?: string | null;
  load_state?: string | null;
  pid?: number | null;
  latency_ms?: number | null;
  active_state?: string | null;
  unit_file_state?: string | null;
  result?: string | null;
  cpu_seconds?: number | null;
  exit_code?: number | null;
  /** Units: the actions that make sense. The portal's own unit has no "stop". */
  actions?: string[] | null;
}

export type ServiceRow = Omit<Schema["ServiceOut"], "status" | "uptime"> & KindFields;
export type ServiceDetail = Omit<Schema["ServiceDetailOut"], "status" | "uptime" | "driver"> & KindFields;
export type Probe = Schema["ProbeIn"];
export type Variable = Schema["VariableOut"];
export type Release = Schema["ReleaseOut"];
export type ServiceEvent = Schema["EventOut"] & Partial<Schema["RecentEventOut"]>;
export type MetricsPoint = Schema["MetricOut"];
export type Metrics = Schema["MetricsOut"];
export type Job = Schema["JobOut"];
export type JobStatus = Job["status"];
export type Step = Schema["StepOut"];
export type StepStatus = Step["status"];
export type ApiKey = Schema["ApiKeyRow"];
export type NewApiKey = Schema["ApiKeyCreated"];
export type Portal = Schema["Portal"];
export type CreateService = Omit<
  Schema["CreateService"],
  "deploy_method" | "compose" | "ai_url" | "preview" | "result" | "driver"
> & {
  deploy_method: "template" | "git" | "upload" | "compose" | "ai";
  compose?: string;
  ai_url?: string;
  preview?: boolean;
  result?: { compose: string; dockerfile: string | null };
  driver?: Driver;
};
export type PatchService = Schema["PatchService"];
export type DeployStarted = Schema["CreatedOut"];

export interface Page<T> {
  data: T[];
  total: number;
  page: number;
  per_page: number;
}

export type Template = Schema["TemplateOut"] & {
  coming_soon?: boolean;
  tags?: string[];
  /** `compose` needs Docker, `process` does not. */
  driver?: string;
};

/** The detail of a template is the row and what its file says; the document leaves that part open. */
export interface TemplateDetail extends Template {
  variables: TemplateVariable[];
}

export interface TemplateVariable {
  name: string;
  label?: string | null;
  type: "string" | "password" | "secret" | "int" | "bool" | "enum" | "domain";
  required: boolean;
  description?: string | null;
  default?: unknown;
  options?: string[] | null;
  /** Homeport makes a value when none is given. */
  generated?: boolean;
  secret?: boolean;
  min?: number | null;
  max?: number | null;
}

/** A message of a log's WebSocket, which the OpenAPI document cannot describe. */
export type LogEntry = Schema["LogEntryOut"] & { skipped?: number };

/** A message of a job's WebSocket. */
export interface JobMessage {
  seq: number;
  timestamp: string;
  type: "step" | "log" | "status";
  step: string | null;
  stream: string | null;
  message: string | null;
  status: string | null;
}

/** Why a compose document is refused, and where. */
export interface Violation {
  path: string;
  reason: string;
  line?: number | null;
}

export interface ComposeCheck {
  ok: boolean;
  violations: Violation[];
  services: {
    name: string;
    image: string | null;
    ports: (number | string)[];
    volumes: string[];
    depends_on: string[];
  }[];
  routed: string | null;
  port: number | null;
  reason?: string | null;
  notes?: string[];
  /** The names that the document uses. */
  variables: string[];
}

export interface AnalysisVariable {
  name: string;
  value: string | null;
  secret: boolean;
  generated: boolean;
}

export interface Analysis {
  findings: { what: string; because: string; confidence: number | string }[];
  language: string | null;
  start: string | null;
  port: number | null;
  dependencies: (string | { name?: string; kind?: string; because?: string })[];
  confidence: number | string;
  /** Null where the repository brings its own compose file. */
  dockerfile: string | null;
  compose: string;
  variables: AnalysisVariable[];
  warnings: string[];
}

/** One container, or task, of a stack. */
export interface Container {
  name: string;
  part: string;
  image: string | null;
  state: string;
  health: string | null;
  started_at: string | null;
  restarts: number;
  exit_code: number | null;
  cpu: number | null;
  memory_mb: number | null;
  node: string | null;
  ports: number[];
  release_id?: string | null;
}

export interface Domain {
  domain: string;
  status: "pending" | "verified" | "failed" | string;
  token?: string | null;
  dns?: { name: string; type: string; value: string } | null;
  http?: { path: string; value: string } | null;
  error?: string | null;
  verified_at?: string | null;
}

export interface EndpointHealth {
  healthy: boolean;
  latency_ms: number | null;
  message: string | null;
  status: string;
}

export interface Endpoint {
  name: string;
  display_name?: string | null;
  description?: string | null;
  plugin: string;
  host: string;
  port: number;
  path?: string | null;
  icon?: string | null;
  category?: string | null;
  enabled: boolean;
  scopes?: string[];
}

export type SystemHealth = Schema["SystemHealth"];

export const GATES = [
  "template",
  "git",
  "compose",
  "ai",
  "custom_domains",
  "backup",
  "notifications",
  "api_access",
] as const;
export type Gate = (typeof GATES)[number];

/** A limit of null is none; bandwidth is MB a month, and there 0 is none. */
export type NewPlan = {
  name: string;
  description: string;
  sort_order: number;
  max_services: number | null;
  max_cpu: number | null;
  max_memory_mb: number | null;
  max_storage_mb: number | null;
  bandwidth_mb: number;
} & Record<`allow_${Gate}`, boolean>;
export type Plan = NewPlan & { id: string; customers: number; created_at: string; updated_at: string };

export interface NewCustomer {
  name: string;
  email: string;
  plan_id: string;
  notes: string;
  status?: "active" | "suspended";
}

export interface Customer extends Required<NewCustomer> {
  id: string;
  /** The name of the plan. */
  plan: string;
  services: number;
  created_at: string;
  updated_at: string;
}

export interface CustomerUser {
  id: string;
  username: string;
  name: string;
  email: string | null;
  role: string;
}

interface Share {
  used: number;
  limit: number | null;
}

export interface Usage {
  plan: string;
  services: Share;
  cpu: Share;
  memory_mb: Share;
  storage_mb: Share;
}

/** A unit of the host; its row is its detail. What it has no numbers for is null. */
export type Unit = Omit<ServiceRow, "resources"> & {
  restarts?: number;
  resources: { cpu_usage: number | null; memory_usage_mb: number | null; memory_limit_mb: number | null };
};
