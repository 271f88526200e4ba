import { expect, test } from "vitest";
import { passwordProblem, strength, usernameProblem } from "./password";

test("a password is refused for a reason that says what to do", () => {
  expect(passwordProblem("short")).toBe("At least 8 characters.");
  expect(passwordProblem("x".repeat(129))).toBe("At most 128 characters.");
  expect(passwordProblem("Margaret", "margaret")).toBe("Not your own name.");
  expect(passwordProblem("password1")).toContain("first that anybody tries");
  expect(passwordProblem("correct horse battery")).toBeNull();
});

test("length and variety make a password stronger", () => {
  const levels = ["aaaaaaaaaaaa", "tulip-four", "tulip four Hats", "correct horse battery staple"].map(
    (password) => strength(password).level,
  );
  expect(levels).toEqual([0, 1, 2, 3]);
});

test("a user name has 3 to 30 letters, digits, underscores and dashes", () => {
  expect(["ab", "a".repeat(31), "ann b", "ann_b-3"].map(usernameProblem)).toEqual([
    "At least 3 characters.",
    "At most 30 characters.",
    "Letters, digits, _ and - only.",
    null,
  ]);
});
