export interface Line {
  id: number;
  timestamp: string;
  /** stdout, stderr, system (the supervisor's own words), step (a heading) or skipped. */
  stream: string;
  message: string;
  step?: string | null;
  /** The part of a stack that wrote it; undefined for the part that visitors reach. */
  part?: string;
}

export type NewLine = Omit<Line, "id">;

export interface Chunk {
  id: number;
  lines: readonly Line[];
}

export interface Shown {
  chunks: readonly Chunk[];
  count: number;
  /** Lines let go here to keep the page light; they are still on disk. */
  dropped: number;
  last: Line | null;
}

const CHUNK = 100;
const EMPTY: Shown = { chunks: [], count: 0, dropped: 0, last: null };

/**
 * The newest `limit` lines of a log, in chunks that never change once full, so that a page draws only the last one
 * again. Readers are told once a frame however fast lines come.
 */
export class LogBuffer {
  private shown: Shown = EMPTY;
  private pending: NewLine[] = [];
  private scheduled = false;
  private next = 0;
  private overlap: Map<string, number> | null = null;
  private overlapAt = "";
  private readonly readers = new Set<() => void>();

  constructor(
    private readonly limit = 5000,
    private readonly schedule: (run: () => void) => void = (run) => setTimeout(run, 50),
  ) {}

  subscribe = (reader: () => void) => {
    this.readers.add(reader);
    return () => {
      this.readers.delete(reader);
    };
  };

  snapshot = () => this.shown;

  add(line: NewLine): void {
    if (this.overlap && this.repeats(line)) return;
    this.pending.push(line);
    if (this.scheduled) return;
    this.scheduled = true;
    this.schedule(() => this.flush());
  }

  /** The time of the newest line; what follows a reconnect may repeat lines of that very moment, which are dropped. */
  resume(): string | null {
    this.flush();
    const at = this.shown.last?.timestamp;
    if (!at) return null;
    this.overlapAt = at;
    this.overlap = new Map();
    for (const line of this.lines())
      if (line.timestamp === at) this.overlap.set(line.message, (this.overlap.get(line.message) ?? 0) + 1);
    return at;
  }

  clear(): void {
    this.pending = [];
    this.overlap = null;
    this.publish(EMPTY);
  }

  *lines(): Generator<Line> {
    for (const chunk of this.shown.chunks) yield* chunk.lines;
  }

  private repeats(line: NewLine): boolean {
    if (line.timestamp > this.overlapAt) {
      this.overlap = null;
      return false;
    }
    const left = this.overlap?.get(line.message) ?? 0;
    if (left > 0) this.overlap?.set(line.message, left - 1);
    return left > 0 || line.timestamp < this.overlapAt;
  }

  private flush(): void {
    this.scheduled = false;
    if (this.pending.length === 0) return;
    const chunks = [...this.shown.chunks];
    let { count, dropped } = this.shown;
    let open = chunks.at(-1);
    for (const line of this.pending) {
      if (!open || open.lines.length >= CHUNK) {
        open = { id: this.next, lines: [] };
        chunks.push(open);
      } else if (open === this.shown.chunks.at(-1)) {
        open = { id: open.id, lines: [...open.lines] };
        chunks[chunks.length - 1] = open;
      }
      (open.lines as Line[]).push({ ...line, id: this.next++ });
      count += 1;
    }
    this.pending = [];
    while (count - (chunks[0]?.lines.length ?? 0) >= this.limit) {
      const gone = chunks.shift()?.lines.length ?? 0;
      count -= gone;
      dropped += gone;
    }
    this.publish({ chunks, count, dropped, last: chunks.at(-1)?.lines.at(-1) ?? null });
  }

  private publish(shown: Shown): void {
    this.shown = shown;
    for (const tell of this.readers) tell();
  }
}

/** Lines as a text file. */
export function asText(lines: Iterable<NewLine>): string {
  let text = "";
  for (const { timestamp, stream, message } of lines) text += `${timestamp} ${stream} ${message}\n`;
  return text;
}
