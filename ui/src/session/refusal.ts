import { ApiError } from "../api/client";

/** Why somebody was not let in, for the page: `until` is when to try again (milliseconds since 1970). */
export interface Refusal {
  title?: string;
  message: string;
  until?: number;
}

/** The server's answer in words that say what to do. `now` in milliseconds since 1970. */
export function refusalOf(error: Error, now: number): Refusal {
  if (!(error instanceof ApiError)) return { message: error.message };
  const details = (error.body.details ?? {}) as { retry_after?: number };
  if (error.status === 429) {
    const seconds = Number(details.retry_after ?? error.body.retry_after ?? 0);
    if (seconds > 0) return { title: "Too many attempts", message: error.message, until: now + seconds * 1000 };
    return { title: "Too many attempts", message: error.message };
  }
  if (error.code === "account_banned")
    return { title: "You cannot sign in", message: `${error.message} Ask whoever runs this portal.` };
  return { message: error.message };
}

/** The second factors that the portal offers in place of an answer; null when it asks for none. */
export function asksForSecondFactor(error: Error | null): string[] | null {
  if (!(error instanceof ApiError) || error.code !== "2fa_required") return null;
  const details = error.body.details as { methods?: string[] } | null;
  return details?.methods ?? ["totp"];
}

/** Where to go after the sign-in: a path of this portal, never another site's. */
export function safeNext(next: string | null | undefined): string {
  if (!next?.startsWith("/") || next.startsWith("//") || next.startsWith("/\\")) return "/";
  return /^\/(register|sign-in)\b/.test(next) ? "/" : next;
}

/** An invite code as it is written: upper case, without what a mail program put around it. */
export const inviteCode = (typed: string) => typed.replace(/\s+/g, "").toUpperCase();
