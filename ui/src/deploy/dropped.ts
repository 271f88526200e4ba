import type { Collected } from "./collect";

let dropped: Collected | null = null;

/** Hands what was dropped on one page to the deploy form on the next. */
export const keepDropped = (collected: Collected) => {
  dropped = collected;
};

/** What was handed over, once. */
export function takeDropped(): Collected | null {
  const taken = dropped;
  // Cleared after the render: strict mode asks twice.
  setTimeout(() => {
    dropped = null;
  });
  return taken;
}
