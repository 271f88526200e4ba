import { expect, test } from "vitest";
import { hostProblem, pluginWord, portProblem } from "./plugins";

test("a host is a host, without anything around it", () => {
  expect(["nas.lan", "192.168.1.4", "fd00::1"].map(hostProblem)).toEqual([null, null, null]);
  expect(["", "https://nas.lan", "nas.lan/admin", "my nas"].every(hostProblem)).toBe(true);
});

test("a port is a whole number that a machine can have", () => {
  expect([22, "443", 65_535].map(portProblem)).toEqual([null, null, null]);
  expect([0, 70_000, 1.5, ""].every(portProblem)).toBe(true);
});

test("what is not known is shown by its own name", () => {
  expect([pluginWord("ssh"), pluginWord("gopher"), pluginWord(null)]).toEqual(["Shell (ssh)", "gopher", "–"]);
});
