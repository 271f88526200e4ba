export const SHORTEST = 8;
export const LONGEST = 128;
const COMMON =
  /^(password|passw0rd|12345678|123456789|1234567890|qwertyui|qwertyuiop|11111111|iloveyou|homeport)\d{0,4}$/i;

/** Why the portal, or good sense, does not take this password; null when it may be tried. */
export function passwordProblem(password: string, username = ""): string | null {
  if (password.length < SHORTEST) return `At least ${SHORTEST} characters.`;
  if (password.length > LONGEST) return `At most ${LONGEST} characters.`;
  if (username && password.toLowerCase() === username.toLowerCase()) return "Not your own name.";
  if (COMMON.test(password)) return "This is one of the first that anybody tries.";
  return null;
}

export interface Strength {
  /** 0 (guessed in no time) to 3. */
  level: 0 | 1 | 2 | 3;
  word: string;
}

/** A rough measure of how long guessing takes: length counts most, then how many kinds of letters there are. */
export function strength(password: string): Strength {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((kind) => kind.test(password)).length;
  const different = new Set(password).size;
  const score = Math.min(password.length, different * 2) + kinds * 2;
  if (passwordProblem(password) || score < 13) return { level: 0, word: "Weak" };
  if (score < 17) return { level: 1, word: "Fair" };
  if (score < 22) return { level: 2, word: "Good" };
  return { level: 3, word: "Strong" };
}

const NAME = /^[A-Za-z0-9_-]{3,30}$/;

/** Why this cannot be a user name; null when it can. */
export function usernameProblem(name: string): string | null {
  if (name.length < 3) return "At least 3 characters.";
  if (name.length > 30) return "At most 30 characters.";
  return NAME.test(name) ? null : "Letters, digits, _ and - only.";
}
