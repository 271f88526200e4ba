import type { components } from "./schema";

type Schema = components["schemas"];

export type User = Schema["Me"];
export type Verb = Schema["Verb"];
export type ServiceRow = Schema["ServiceOut"];
export type ServiceDetail = Schema["ServiceDetailOut"];
export type ServiceStatus = ServiceRow["status"];
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
export type CreateService = Schema["CreateService"];
export type PatchService = Schema["PatchService"];
export type DeployStarted = Schema["CreatedOut"];

export interface Page<T> {
  data: T[];
  total: number;
  page: number;
  per_page: number;
}

export type Template = Schema["TemplateOut"] & { coming_soon?: boolean };

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
