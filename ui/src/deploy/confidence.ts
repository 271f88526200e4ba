/** How sure a finding is: a share of 1 and its word. */
export interface Sureness {
  part: number;
  word: "Certain" | "Likely" | "A guess";
}

const WORDS: Record<string, number> = { certain: 1, high: 0.9, likely: 0.7, medium: 0.6, low: 0.3, guess: 0.3 };

/** Reads a confidence: a share of 1, a percentage, or a word. */
export function sureness(confidence: number | string): Sureness {
  const read = typeof confidence === "number" ? confidence : (WORDS[confidence.toLowerCase()] ?? Number(confidence));
  const share = Number.isFinite(read) ? read : 0;
  const part = Math.min(1, Math.max(0, share > 1 ? share / 100 : share));
  return { part, word: part >= 0.85 ? "Certain" : part >= 0.55 ? "Likely" : "A guess" };
}
