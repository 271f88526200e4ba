export interface Pair {
  name: string;
  value: string;
}

const LINE = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/;

/** Reads the text of a .env file: comments, `export`, quotes, values of several lines; the last of a name counts. */
export function readEnv(text: string): { pairs: Pair[]; unread: string[] } {
  const found = new Map<string, string>();
  const unread: string[] = [];
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (/^\s*(#|$)/.test(line)) continue;
    const match = LINE.exec(line);
    if (!match) {
      unread.push(line.trim());
      continue;
    }
    let value = (match[2] ?? "").trim();
    const quote = value[0];
    if (quote === '"' || quote === "'") {
      while (value.indexOf(quote, 1) < 0 && i + 1 < lines.length) value += `\n${lines[++i]}`;
      const end = value.lastIndexOf(quote);
      value = value.slice(1, end > 0 ? end : undefined);
      if (quote === '"') value = value.replace(/\\n/g, "\n").replace(/\\"/g, '"');
    } else value = value.replace(/\s+#.*$/, "");
    found.set(match[1] ?? "", value);
  }
  return { pairs: [...found].map(([name, value]) => ({ name, value })), unread };
}

/** Why `name` cannot be the name of a variable; null when it can. */
export function variableProblem(name: string): string | null {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return null;
  return name ? "Use letters, digits and _, and begin with a letter." : "Give it a name.";
}
