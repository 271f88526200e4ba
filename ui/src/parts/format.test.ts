import { expect, test } from "vitest";
import type { Job, JobMessage } from "../api/types";
import { fits, readCommand } from "../frame/commands";
import { withMessage } from "../jobs/follow";
import { hintFor } from "../jobs/steps";
import { readServiceSearch } from "../services/search";
import { nearest, niceTop, paths } from "./curve";
import { bytes, cpu, megabytes } from "./numbers";
import { age, ago, lasted } from "./time";

test("times are relative, in the largest unit", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  const at = (seconds: number) => ago(new Date(now - seconds * 1000).toISOString(), now);
  expect([at(3), at(-2), at(30), at(150), at(7200), at(90_000)]).toEqual([
    "just now",
    "just now",
    "30 seconds ago",
    "2 minutes ago",
    "2 hours ago",
    "yesterday",
  ]);
});

test("durations and ages have units", () => {
  expect([40, 400, 12_300, 185_000, 7_800_000].map(lasted)).toEqual([
    "40 ms",
    "0.4 s",
    "12 s",
    "3 min 05 s",
    "2 h 10 min",
  ]);
  expect([42, 300, 10_800, 200_000].map(age)).toEqual(["42 s", "5 min", "3 h", "2 d"]);
});

test("sizes and shares have units", () => {
  expect([0, 0.4, 64, 1536].map(megabytes)).toEqual(["0 MB", "0.4 MB", "64 MB", "1.5 GB"]);
  expect([[10, 2048, 5_242_880].map(bytes), [0, 0.013, 1.5].map(cpu)]).toEqual([
    ["10 B", "2 KB", "5.0 MB"],
    ["0 %", "1.3 %", "150 %"],
  ]);
});

test("a chart's scale is round and its line is broken where nothing was measured", () => {
  expect([0.03, 0.7, 3, 22, 512].map(niceTop)).toEqual([0.05, 1, 5, 32, 512]);
  const points = [0, 1, 9].map((at) => ({ at, value: at }));
  expect(
    paths(
      points,
      (x) => x,
      (y) => y,
      0,
      2,
    ).line,
  ).toBe("M0 0L1 1M9 9");
  expect(nearest(points, 6)?.at).toBe(9);
});

test("the palette reads verbs, also cut short, and names", () => {
  expect(readCommand("Restart blog")).toEqual({ verb: "restart", rest: "blog" });
  expect(readCommand("log hel")).toEqual({ verb: "logs", rest: "hel" });
  expect(readCommand("re blog")).toEqual({ verb: null, rest: "re blog" });
  expect(readCommand("deploy")).toEqual({ verb: "deploy", rest: "" });
  expect(["stopped", "running"].map((status) => fits("start", status))).toEqual([true, false]);
});

test("the address of the list is read leniently", () => {
  expect(readServiceSearch({ page: "3", status: "failed", sort: "nonsense", order: "asc", search: 7 })).toEqual({
    page: 3,
    status: "failed",
    sort: undefined,
    order: "asc",
    search: "7",
  });
});

test("the messages of a job move its steps, and never back", () => {
  const step = { name: "build", status: "pending", started_at: null, finished_at: null, detail: null };
  const job = { status: "running", step: null, steps: [step] } as unknown as Job;
  const say = (status: string, timestamp: string) => ({ type: "step", step: "build", status, timestamp }) as JobMessage;
  const done = withMessage(withMessage(job, say("running", "1")), say("success", "2"));
  expect(done.steps[0]).toMatchObject({ status: "success", started_at: "1", finished_at: "2" });
  expect(withMessage(done, say("running", "3")).steps[0]?.status).toBe("success");
});

test("a failed check says what to try, and a release that ended says another thing", () => {
  expect(hintFor("gate", "No answer on /")).toContain("PORT");
  expect(hintFor("gate", "The new release keeps ending: exited with code 1.")).toContain("log");
});
