const RESERVED = new Set(["panel", "www", "api", "auth", "traefik", "localhost", "homeport", "portal", "relay"]);

/** Why `name` cannot be the name of a service; null when it can. It becomes a host name. */
export function nameProblem(name: string): string | null {
  if (!name) return "Give it a name.";
  if (name.length > 63) return "Use at most 63 characters.";
  if (/[A-Z]/.test(name)) return "Use small letters.";
  if (/[^a-z0-9-]/.test(name)) return "Use small letters, digits and hyphens only.";
  if (name.startsWith("-") || name.endsWith("-")) return "Begin and end with a letter or digit.";
  if (RESERVED.has(name) || name.startsWith("svc-")) return "This name is reserved. Choose another.";
  return null;
}

/** A fitting name made of any text: a repository's address, a folder, a file. */
export function nameFrom(text: string): string {
  const last =
    text
      .replace(/(\/\.git)?[/\s]*$/, "")
      .split(/[/:\\]/)
      .at(-1) ?? "";
  return last
    .replace(/\.(git|zip|tar|tar\.gz|tgz)$/i, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
}

/** Why `url` cannot be fetched as a git repository; null when it may. The portal checks the rest. */
export function gitProblem(url: string): string | null {
  if (!url) return "Give the address of the repository.";
  if (/^(git@|ssh:)/.test(url)) return "Use the https:// address of the repository.";
  if (!/^https?:\/\/[^\s/]+\/\S+/.test(url)) return "It looks like https://example.com/owner/repository.";
  return null;
}
