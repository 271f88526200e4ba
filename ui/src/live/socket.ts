/** One thing that happened, as /api/live tells it. */
export interface Change {
  cursor: string;
  topic: "service" | "job" | "release" | "event" | "metrics" | "customer" | "plan" | "tunnel" | "endpoint";
  action: "created" | "changed" | "deleted";
  id: string;
  data: Record<string, unknown>;
}

type Message = { type: "hello"; cursor: string } | { type: "reset"; cursor: string } | ({ type: "change" } & Change);

/** The close code of the portal for a session or key that has ended. */
const CREDENTIAL_ENDED = 4401;

export type LiveState = "connecting" | "live" | "reconnecting";

export interface LiveListener {
  change(change: Change): void;
  /** What was fetched before now may have missed something: fetch it again. */
  reset(): void;
  state(state: LiveState): void;
  /** What this tab is signed in by has ended, or may do other things now. */
  ended(): void;
}

/** The part of a WebSocket that is used, so that a test can be the other end. */
export interface Wire {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  close(): void;
}

/** Milliseconds before try number `attempt` (from 0): doubling to 15 s, spread so that tabs do not come back together. */
export function backoff(attempt: number, random: () => number): number {
  return Math.min(15_000, 500 * 2 ** attempt) * (0.5 + random() / 2);
}

/**
 * One connection that resumes where it was cut: each message carries a cursor, the next connection names the last one
 * seen, and the server replays what lies between or says that it cannot (`reset`).
 */
export class LiveSocket {
  private cursor: string | null = null;
  private wire: Wire | null = null;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private closed = false;

  constructor(
    private readonly connect: (cursor: string | null) => Wire,
    private readonly listener: LiveListener,
    private readonly random: () => number = Math.random,
  ) {}

  open(): void {
    clearTimeout(this.timer);
    if (this.closed || this.wire) return;
    this.listener.state(this.attempt === 0 && this.cursor === null ? "connecting" : "reconnecting");
    const wire = this.connect(this.cursor);
    this.wire = wire;
    wire.onmessage = (event) => this.wire === wire && this.receive(JSON.parse(String(event.data)) as Message);
    wire.onclose = ({ code }) => {
      if (this.wire !== wire) return;
      this.wire = null;
      if (this.closed) return;
      if (code === CREDENTIAL_ENDED) this.listener.ended();
      this.listener.state("reconnecting");
      this.timer = setTimeout(() => this.open(), backoff(this.attempt++, this.random));
    };
  }

  /** The network is back: do not wait for the timer. */
  hurry(): void {
    this.attempt = 0;
    this.open();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.wire?.close();
    this.wire = null;
  }

  private receive(message: Message): void {
    const first = this.cursor === null;
    this.cursor = message.cursor;
    this.attempt = 0;
    if (message.type === "change") {
      this.listener.change(message);
      return;
    }
    this.listener.state("live");
    if (message.type === "reset" || first) this.listener.reset();
  }
}
