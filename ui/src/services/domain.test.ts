import { expect, test } from "vitest";
import { domainProblem } from "./domain";
import { runsFor, secondsUp } from "./uptime";

test("a domain is a whole name, and nothing but a name", () => {
  expect(["shop.example.com", "xn--bcher-kva.example"].map(domainProblem)).toEqual([null, null]);
  expect(domainProblem("https://shop.example.com")).toContain("without https://");
  expect(domainProblem("shop")).toContain("whole domain");
  expect(["-a.example", "a..example", "192.0.2.1", "a_b.example"].map((one) => domainProblem(one) !== null)).toEqual(
    Array(4).fill(true),
  );
});

test("an uptime is said in the portal's words, and counted in seconds", () => {
  expect(runsFor({ uptime: "5d 3h", uptime_seconds: 442_800 })).toBe("5d 3h");
  expect(runsFor({ uptime: null })).toBe("–");
  expect([secondsUp({ uptime: "1m", uptime_seconds: 60 }), secondsUp({ uptime: null })]).toEqual([60, null]);
});
