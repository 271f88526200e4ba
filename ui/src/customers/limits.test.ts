import { expect, test } from "vitest";
import type { Plan } from "../api/types";
import { fullness, limitWords, NEW_PLAN, planWords } from "./limits";

test("a plan's limits are one line, and none is said as none", () => {
  expect(planWords({ ...NEW_PLAN, max_storage_mb: null } as Plan)).toBe("3 services, 2 cores, 4.0 GB memory");
  const none = { max_services: null, max_cpu: null, max_memory_mb: null, max_storage_mb: null };
  expect(planWords({ ...NEW_PLAN, ...none } as Plan)).toBe("No limits");
  expect([limitWords(null, String), limitWords(3, String)]).toEqual(["no limit", "3"]);
});

test("a bar warns before a limit is reached and says when it is", () => {
  expect(fullness(1, 4)).toEqual({ part: 0.25, tone: "busy" });
  expect(fullness(3.4, 4).tone).toBe("warn");
  expect([fullness(4, 4).tone, fullness(9, 4), fullness(1, 0).tone]).toEqual(["bad", { part: 1, tone: "bad" }, "bad"]);
  expect(fullness(1000, null)).toEqual({ part: 0, tone: "busy" });
});
