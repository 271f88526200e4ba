/** Why `name` cannot be a domain of one's own; null when it can. The portal checks the rest. */
export function domainProblem(name: string): string | null {
  if (!name) return "Give the domain.";
  if (/^[a-z]+:\/\//.test(name) || name.includes("/")) return "Only the name, without https:// and without a path.";
  if (name.length > 253) return "It is too long.";
  if (!name.includes(".")) return "A whole domain, like shop.example.com.";
  const fine = name.split(".").every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  return fine && !/^[\d.]+$/.test(name) ? null : "Use letters, digits, hyphens and dots.";
}
