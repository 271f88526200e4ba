import classes from "./StatusWord.module.css";

const TONES: Record<string, string> = {
  running: "good",
  healthy: "good",
  success: "good",
  live: "good",
  failed: "bad",
  unhealthy: "bad",
  deploying: "busy",
  building: "busy",
  queued: "busy",
  started: "busy",
  starting: "busy",
  active: "busy",
  cancelled: "warn",
  stopped: "idle",
  retired: "idle",
  unknown: "idle",
};

export const toneOf = (status: string) => TONES[status] ?? "idle";
const WORDS: Record<string, string> = { success: "Succeeded" };
const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);

interface StatusWordProps {
  status: string;
  word?: string;
  pill?: boolean;
  /** Where the same word means another thing elsewhere: good, bad, busy, warn or idle. */
  tone?: string;
}

/** A dot and its word: never colour alone. */
export function StatusWord({ status, word, pill, tone = toneOf(status) }: StatusWordProps) {
  return (
    <span className={classes.root} data-tone={tone} data-pill={pill || undefined} data-status={status}>
      <span className={classes.dot} data-pulse={tone === "busy" || undefined} aria-hidden />
      {word ?? WORDS[status] ?? capital(status)}
    </span>
  );
}

/** The status of a service in one word, health included: a running service that fails its checks is "unhealthy". */
export function serviceStatus(service: { status: string; health_status?: string | null }): string {
  return service.status === "running" && service.health_status === "unhealthy" ? "unhealthy" : service.status;
}
