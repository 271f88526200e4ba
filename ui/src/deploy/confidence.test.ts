import { expect, test } from "vitest";
import { looksSecret } from "./compose";
import { sureness } from "./confidence";
import { filledIn } from "./NamedValues";

test("a confidence has a word beside its number", () => {
  expect([0.97, 0.6, 0.2].map((one) => sureness(one).word)).toEqual(["Certain", "Likely", "A guess"]);
});

test("percentages and words are read as well, and nonsense is a guess", () => {
  expect(sureness(80)).toEqual({ part: 0.8, word: "Likely" });
  expect(sureness("high").word).toBe("Certain");
  expect(sureness("who knows")).toEqual({ part: 0, word: "A guess" });
});

test("values that should not be read over a shoulder are known by their names", () => {
  expect(["DB_PASSWORD", "API_KEY", "SESSION_SECRET", "PORT", "KEYBOARD"].map(looksSecret)).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});

test("only what was filled in, and is still asked for, is sent", () => {
  expect(filledIn(["A", "B"], { A: "1", B: "", C: "3" })).toEqual({ A: "1" });
});
