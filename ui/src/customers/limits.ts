import type { Gate, NewPlan, Plan } from "../api/types";
import { megabytes } from "../parts/numbers";

export const GATE_WORDS: Record<Gate, string> = {
  template: "Deploy templates",
  git: "Deploy from git or a folder",
  compose: "Deploy compose documents",
  ai: "Let AI read a repository",
  custom_domains: "Own domains",
  backup: "Backups",
  notifications: "Notifications",
  api_access: "API keys",
};

/** What a new plan starts from. */
export const NEW_PLAN: NewPlan = {
  name: "",
  description: "",
  sort_order: 0,
  max_services: 3,
  max_cpu: 2,
  max_memory_mb: 4096,
  max_storage_mb: 20_480,
  bandwidth_mb: 0,
  allow_template: true,
  allow_git: true,
  allow_compose: true,
  allow_ai: true,
  allow_custom_domains: true,
  allow_backup: true,
  allow_notifications: true,
  allow_api_access: true,
};

/** A limit in words: null is none. */
export const limitWords = (limit: number | null, text: (n: number) => string) =>
  limit === null ? "no limit" : text(limit);

/** The limits of a plan in one line. */
export function planWords({ max_services, max_cpu, max_memory_mb, max_storage_mb }: Plan): string {
  const parts = [
    max_services === null ? null : `${max_services} services`,
    max_cpu === null ? null : `${max_cpu} cores`,
    max_memory_mb === null ? null : `${megabytes(max_memory_mb)} memory`,
    max_storage_mb === null ? null : `${megabytes(max_storage_mb)} disk`,
  ].filter(Boolean);
  return parts.length ? parts.join(", ") : "No limits";
}

/** How full a limit is: a share of 1, and whether one should look at it. Without a limit nothing is ever full. */
export function fullness(used: number, limit: number | null): { part: number; tone: "busy" | "warn" | "bad" } {
  if (limit === null) return { part: 0, tone: "busy" };
  const part = limit > 0 ? Math.min(1, used / limit) : used > 0 ? 1 : 0;
  return { part, tone: used > limit || (limit > 0 && part >= 1) ? "bad" : part >= 0.8 ? "warn" : "busy" };
}
