import { socketUrl } from "../api/client";
import type { LogEntry } from "../api/types";
import { backoff } from "../live/socket";
import type { LogBuffer } from "./buffer";

export type FollowState = "connecting" | "live" | "reconnecting" | "ended";

/** Lines shown when a log is opened, and fetched again after a cut. */
const TAIL = 1000;
const MOST = 10_000;

/** Keeps `buffer` up to the service's log, over cuts of the connection. The answer stops it. */
export function followService(ref: string, buffer: LogBuffer, state: (now: FollowState) => void): () => void {
  return reconnecting(
    () => {
      const since = buffer.resume();
      const query = since ? { follow: true, since, tail: MOST } : { follow: true, tail: TAIL };
      return socketUrl(`/api/services/${encodeURIComponent(ref)}/logs`, query);
    },
    (data) => {
      const entry = JSON.parse(data) as LogEntry;
      const behind = entry.container && !entry.container.startsWith("rel_");
      buffer.add({
        part: behind ? entry.container : undefined,
        timestamp: entry.timestamp,
        stream: entry.skipped ? "skipped" : entry.stream,
        message: entry.skipped
          ? `${entry.skipped} lines skipped: this page could not keep up. Download the log to read them.`
          : entry.message,
      });
    },
    () => true,
    state,
  );
}

/** A WebSocket that comes back, with a new address each time, until `again` says no to how it closed. */
export function reconnecting(
  address: () => string,
  receive: (data: string) => void,
  again: (code: number) => boolean,
  state: (now: FollowState) => void,
): () => void {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  let stopped = false;
  const open = () => {
    const mine = new WebSocket(address());
    socket = mine;
    mine.onopen = () => {
      attempt = 0;
      state("live");
    };
    mine.onmessage = (event) => receive(String(event.data));
    mine.onclose = (event) => {
      if (stopped) return;
      if (!again(event.code)) {
        state("ended");
        return;
      }
      state("reconnecting");
      timer = setTimeout(open, backoff(attempt++, Math.random));
    };
  };
  state("connecting");
  open();
  return () => {
    stopped = true;
    clearTimeout(timer);
    socket?.close();
  };
}
