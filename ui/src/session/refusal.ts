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
    const title = error.code === "registration_limit" ? "Not today" : "Too many attempts";
    return { title, message: error.message, ...(seconds > 0 && { until: now + seconds * 1000 }) };
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

const PROVIDER_SAID: Record<string, string> = {
  provider_unavailable: "The sign-in provider does not answer as it should. Try again, or use your password.",
  sign_in_refused: "The sign-in was cancelled, took too long, or was refused by the provider. Try again.",
  token_refused: "What the provider said about you could not be trusted. Tell whoever runs this portal.",
  accounts_closed: "There is no account for you here, and none is made by signing in. Ask whoever runs this portal.",
  role_missing: "Your account there has no role for this portal. Ask whoever manages it.",
  account_banned: "This account is banned. Ask whoever runs this portal.",
};

/** Why signing in at the provider came to nothing, from the address that the portal sent the browser back to. */
export function providerProblem(search: string): string | null {
  const code = new URLSearchParams(search).get("sign_in_problem");
  return code === null ? null : (PROVIDER_SAID[code] ?? `Signing in at the provider failed (${code}).`);
}

/** An invite code as it is written: upper case, without what a mail program put around it. */
export const inviteCode = (typed: string) => typed.replace(/\s+/g, "").toUpperCase();
