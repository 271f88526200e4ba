import type { Unit } from "../api/types";

const SUB_STATES: Record<string, string> = {
  running: "runs",
  exited: "did its work and ended",
  dead: "does not run",
  failed: "ended with an error",
  listening: "waits for a connection",
  waiting: "waits for its time",
  "auto-restart": "ended; systemd starts it again in a moment",
  "auto-restart-queued": "ended; systemd starts it again in a moment",
  "start-pre": "is being prepared",
  start: "is starting",
  "start-post": "is starting",
  reload: "is reading its settings again",
  stop: "is stopping",
  "stop-sigterm": "is stopping",
  "stop-sigkill": "did not stop, and is being killed",
  "stop-post": "is stopping",
};

/** What a unit is doing: systemd's own word, explained. */
export function subState({ sub_state: word, load_state, active_state }: Unit): string {
  if (load_state === "not-found") return "is not installed on this machine";
  if (!active_state) return "systemd does not answer";
  if (!word) return "";
  return SUB_STATES[word] ?? word;
}

/** The status in one word, with its tone: what systemd is doing at this moment counts before the last result. */
export function unitStatus({ status, active_state, load_state }: Unit): { word: string; tone: string } {
  if (load_state === "not-found") return { word: "Not installed", tone: "warn" };
  if (active_state === "activating") return { word: "Starting", tone: "busy" };
  if (active_state === "deactivating") return { word: "Stopping", tone: "busy" };
  if (active_state === "reloading") return { word: "Reloading", tone: "busy" };
  if (status === "active") return { word: "Active", tone: "good" };
  if (status === "failed") return { word: "Failed", tone: "bad" };
  if (status === "inactive") return { word: "Inactive", tone: "idle" };
  return { word: "Unknown", tone: "warn" };
}

/** Whether systemd answers for none of these: the machine has none, or it is out of reach. */
export const noSystemd = (units: Unit[]) => units.length > 0 && units.every((unit) => !unit.active_state);

/** Why an action that one would expect is not offered; null when it simply makes no sense. */
export function refusal(unit: Unit, action: string): string | null {
  if (unit.actions?.includes(action)) return null;
  if (action === "stop") return "This is the portal itself: stopping it would end the page you are looking at.";
  if (action === "reload") return "This unit cannot reload its settings; restart it instead.";
  return "Not possible for this unit.";
}
