/** The steps of a first run, in their order. */
export const STEPS = ["password", "factor", "names", "invite", "begin"] as const;
export type StepName = (typeof STEPS)[number];

/** What is known of a first run in this browser: the steps that were left out or done, and whether it was left. */
export interface Progress {
  past: StepName[];
  left: boolean;
}

/** What the server knows: it wins over what the browser remembers. */
export interface Facts {
  role: string;
  has_password: boolean;
  password_changed_at?: string | null;
  /** A passkey alone does not count: beside it the password still opens the account by itself. */
  totp_enabled: boolean;
}

const NOTHING: Progress = { past: [], left: false };
const place = (user: string) => `homeport.first-run.${user}`;

export function readProgress(storage: Pick<Storage, "getItem">, user: string): Progress | null {
  try {
    const kept = JSON.parse(storage.getItem(place(user)) ?? "null") as Partial<Progress> | null;
    if (!kept) return null;
    return { past: STEPS.filter((step) => kept.past?.includes(step)), left: kept.left === true };
  } catch {
    return null;
  }
}

export const keepProgress = (storage: Pick<Storage, "setItem">, user: string, progress: Progress) =>
  storage.setItem(place(user), JSON.stringify(progress));

/**
 * The step to be shown; null when this is no first run, or it is over.
 *
 * It begins with the printed password of the first administrator. Once begun it goes on in this browser until its end;
 * in another browser nothing is asked again, because the password has been chosen.
 */
export function stepOf(facts: Facts, progress: Progress | null): StepName | null {
  if (facts.role !== "superadmin" || progress?.left) return null;
  if (progress === null) return wasDone(facts, "password") ? null : "password";
  const known = STEPS.slice(0, 2).filter((step) => wasDone(facts, step));
  return STEPS.find((step) => !known.includes(step) && !progress.past.includes(step)) ?? null;
}

/** Whether a step that is past was really done; what nobody knows of counts as done. */
export function wasDone(facts: Facts, step: StepName): boolean {
  if (step === "password") return !facts.has_password || !!facts.password_changed_at;
  return step !== "factor" || facts.totp_enabled;
}

/** The progress after a step was done or left out. */
export const after = (progress: Progress | null, step: StepName): Progress => ({
  ...(progress ?? NOTHING),
  past: STEPS.filter((one) => one === step || progress?.past.includes(one)),
});
