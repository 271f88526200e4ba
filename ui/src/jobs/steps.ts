import type { Job, Step } from "../api/types";

const WORDS: Record<string, [doing: string, what: string]> = {
  fetch: ["Fetch", "Getting the code"],
  detect: ["Detect", "Finding out what it is"],
  plan: ["Plan", "Deciding how to build and start it"],
  build: ["Build", "Installing and building"],
  start: ["Start", "Starting the new release"],
  gate: ["Check", "Waiting until it is healthy"],
  switch: ["Switch", "Sending visitors to it"],
  retire: ["Retire", "Stopping the release before"],
};

const HINTS: Record<string, string> = {
  fetch: "Check the address and the branch, and that the portal can reach it.",
  detect:
    "Add a Procfile that says how to start the app, or a file its language is known by (package.json, requirements.txt, index.html).",
  plan: "Check the versions the app asks for and its Procfile.",
  build: "The log shows where the build stopped. Correct that in the code, then deploy again.",
  start: "The log shows what the app said before it ended. A missing variable is a common reason.",
  gate: "The app must listen on the port in the PORT variable and answer its health check. Raise the time-out or correct the probe in the settings if it is only slow.",
};

export const stepName = (name: string) => WORDS[name]?.[0] ?? name;
export const stepWords = (name: string) => WORDS[name]?.[1] ?? "";
/** What to try when this step failed with this error. */
export function hintFor(step: string | null, error: string | null): string | undefined {
  // A release that ends by itself never gets as far as its health check.
  const ended = step === "gate" && /\b(ending|ended|exited|killed)\b/.test(error ?? "");
  return step ? HINTS[ended ? "start" : step] : undefined;
}

export const isOver = (job: Pick<Job, "status">) => job.status !== "queued" && job.status !== "running";

/** Milliseconds that a step took, or has taken until `now`; null before it began. */
export function stepTime(step: Pick<Step, "started_at" | "finished_at">, now: number): number | null {
  if (!step.started_at) return null;
  return (step.finished_at ? Date.parse(step.finished_at) : now) - Date.parse(step.started_at);
}

const TITLES: Record<string, Record<string, string>> = {
  deploy: {
    queued: "Waiting to deploy",
    running: "Deploying",
    success: "Deployed",
    failed: "Could not deploy",
    cancelled: "Cancelled the deploy of",
  },
  redeploy: {
    queued: "Waiting to redeploy",
    running: "Redeploying",
    success: "Redeployed",
    failed: "Could not redeploy",
    cancelled: "Cancelled the redeploy of",
  },
  rollback: {
    queued: "Waiting to roll back",
    running: "Rolling back",
    success: "Rolled back",
    failed: "Could not roll back",
    cancelled: "Cancelled the rollback of",
  },
};

/** The job in a few words: "Deploying hello". */
export const jobTitle = (job: Job) => `${TITLES[job.type]?.[job.status] ?? job.type} ${job.service_name}`;
