import { socketUrl } from "../api/client";
import type { LogBuffer } from "../logs/buffer";
import { type FollowState, reconnecting } from "../logs/follow";

/** A journal that ended, a unit that nobody knows, a reader that did not start: trying again would change nothing. */
const FINAL = [1000, 1008, 1011];

/** The time of a line of the journal as an instant in UTC; a line that has none stands beside the one before. */
export function instant(timestamp: string, last: string): string {
  const at = Date.parse(timestamp.replace(/([+-]\d\d)(\d\d)$/, "$1:$2"));
  return Number.isNaN(at) ? last || new Date().toISOString() : new Date(at).toISOString();
}

/** Keeps `buffer` up to a unit's journal. Each connection begins with the last hundred lines: those known are dropped. */
export function followUnit(ref: string, buffer: LogBuffer, state: (now: FollowState) => void): () => void {
  let last = "";
  return reconnecting(
    () => {
      last = buffer.resume() ?? "";
      return socketUrl(`/api/services/${encodeURIComponent(ref)}/logs`);
    },
    (data) => {
      const { timestamp, message } = JSON.parse(data) as { timestamp: string; message: string };
      last = instant(timestamp, last);
      buffer.add({ timestamp: last, stream: "journal", message });
    },
    (code) => !FINAL.includes(code),
    state,
  );
}
