import type { Template } from "../api/types";
import { megabytes } from "../parts/numbers";

export const CATEGORIES: Record<string, string> = {
  ai: "AI",
  databases: "Databases",
  devtools: "Developer tools",
  webapps: "Web apps",
};

/** Whether it runs in containers. */
export const needsDocker = (template: Template) => template.driver === "compose" || template.driver === "swarm";

/** The least it needs, as "1 core, 512 MB, 2 GB disk". */
export function needs({ min_resources }: Template): string {
  const { cpu, memory_mb: memory, storage_mb: storage } = min_resources;
  const parts = [];
  if (cpu) parts.push(`${cpu} ${cpu === 1 ? "core" : "cores"}`);
  if (memory) parts.push(megabytes(memory));
  if (storage) parts.push(`${megabytes(storage)} disk`);
  return parts.join(", ");
}

/** Whether every word of `search` is somewhere in what a person would look for. */
export function matches(template: Template, search: string): boolean {
  const { id, name, description, category, tags = [] } = template;
  const text = [id, name, description, CATEGORIES[category] ?? category, ...tags].join(" ").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
