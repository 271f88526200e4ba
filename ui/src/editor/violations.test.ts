import { expect, test } from "vitest";
import { inOrder, spanOf, violationsOf } from "./violations";

const TEXT = "services:\n  web:\n    privileged: true";

test("a violation stands on its line, without the indent", () => {
  const span = spanOf(TEXT, 3);
  expect(span && TEXT.slice(span.from, span.to)).toBe("privileged: true");
  expect(spanOf(TEXT, 1)).toEqual({ from: 0, to: 9 });
});

test("a line that is not there, or not known, has no place", () => {
  expect([spanOf(TEXT, 9), spanOf(TEXT, 0), spanOf(TEXT, null), spanOf("", 2)]).toEqual([null, null, null, null]);
});

test("violations are read top down, those without a line at the end", () => {
  const at = (line: number | null) => ({ path: `p${line}`, reason: "", line });
  expect(inOrder([at(null), at(7), at(2)]).map((one) => one.path)).toEqual(["p2", "p7", "pnull"]);
});

test("the details of an error give violations, or none", () => {
  expect(violationsOf({ violations: [{ path: "services", reason: "is missing" }] })).toHaveLength(1);
  expect([violationsOf(null), violationsOf("text"), violationsOf({})]).toEqual([[], [], []]);
});
