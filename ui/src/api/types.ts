export type ServiceStatus = "running" | "stopped" | "deploying" | "failed";
export type Verb = string;

export interface Page<T> {
  data: T[];
  total: number;
  page: number;
  per_page: number;
}

export interface User {
  id: string;
  username: string;
  name: string | null;
  email: string | null;
  role: string;
  customer_id: string | null;
  created_at: string;
  verbs: Verb[];
}

export interface ServiceRow {
  id: string;
  name: string;
  kind: string;
  status: ServiceStatus;
  uptime: number | null;
  url: string | null;
  customer_id: string | null;
  template: string | null;
  deploy_method: "template" | "git" | "upload";
  resources: { cpu_usage: number; memory_usage_mb: number; memory_limit_mb: number };
  health_status: HealthStatus | null;
  deploy_job_id: string | null;
  release: number | null;
  error: string | null;
  created_at: string;
  updated_at: string;
}

export type HealthStatus = "healthy" | "unhealthy" | "starting" | "unknown";

export interface Probe {
  type: "http" | "tcp" | "command";
  path?: string | null;
  command?: string | string[] | null;
  interval?: number | null;
  timeout?: number | null;
  [more: string]: unknown;
}

export interface ServiceDetail extends Omit<ServiceRow, "resources"> {
  variables: Record<string, string>;
  variables_changed: boolean;
  resources: ServiceRow["resources"] & { cpu_limit: number; storage_mb: number };
  health: { status: HealthStatus; last_check: string | null; consecutive_failures: number; message?: string | null };
  deployed_at: string | null;
  git_url: string | null;
  git_branch: string | null;
  revision: string | null;
  driver: string | null;
  restarts: number;
  detection: { kind: string; version: string | null; reason: string | null; start: string | null } | null;
  probe: Probe | null;
}

export interface Variable {
  name: string;
  value: string;
  secret: boolean;
  generated: boolean;
}

export interface Release {
  id: string;
  number: number;
  status: "building" | "live" | "retired" | "failed";
  deploy_method: string;
  revision: string | null;
  summary: string | null;
  created_at: string;
  live_at: string | null;
  size_mb: number | null;
  can_rollback: boolean;
  job_id: string | null;
}

export interface ServiceEvent {
  id: number;
  type: string;
  status: string;
  message: string;
  timestamp: string;
  service_id?: string;
  service_name?: string;
}

export interface LogEntry {
  timestamp: string;
  stream: string;
  message: string;
  container?: string | null;
  skipped?: number;
}

export interface MetricsPoint {
  at: string;
  cpu_usage: number;
  memory_usage_mb: number;
}

export interface Metrics {
  data: MetricsPoint[];
  storage_mb: number;
  cpu_limit: number;
  memory_limit_mb: number;
}

export type JobStatus = "queued" | "running" | "success" | "failed" | "cancelled";
export type StepStatus = "pending" | "running" | "success" | "failed" | "skipped";

export interface Step {
  name: string;
  status: StepStatus;
  started_at: string | null;
  finished_at: string | null;
  detail: string | null;
}

export interface Job {
  id: string;
  service_id: string;
  service_name: string;
  type: string;
  status: JobStatus;
  step: string | null;
  progress: number;
  error: string | null;
  release_id: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  steps: Step[];
}

export interface JobMessage {
  seq: number;
  timestamp: string;
  type: "step" | "log" | "status";
  step: string | null;
  stream: string | null;
  message: string | null;
  status: string | null;
}

export interface TemplateVariable {
  name: string;
  label?: string | null;
  type: "string" | "password" | "int" | "bool" | "enum" | "domain";
  required: boolean;
  description?: string | null;
  default?: unknown;
  options?: string[] | null;
}

export interface Template {
  id: string;
  name: string;
  description: string;
  category: string;
  featured: boolean;
  logo: string;
  min_resources: { cpu: number; memory_mb: number; storage_mb: number } | null;
  coming_soon?: boolean;
}

export interface TemplateDetail extends Template {
  variables: TemplateVariable[];
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  expires_at: string | null;
  created_at: string;
  last_used_at?: string | null;
  key?: string;
}

export interface Portal {
  version: string;
  domain: string;
  base_url: string;
  port: number;
  app_domain: string;
  ca_path?: string | null;
}

export interface CreateService {
  name: string;
  deploy_method: "template" | "git" | "upload";
  template_id?: string;
  git_url?: string;
  git_branch?: string;
  upload_id?: string;
  variables?: Record<string, string>;
}

export interface DeployStarted {
  id: string;
  name: string;
  status: ServiceStatus;
  deploy_job_id: string;
}
