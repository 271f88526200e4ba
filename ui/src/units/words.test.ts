import { expect, test } from "vitest";
import type { Unit } from "../api/types";
import { instant } from "./follow";
import { noSystemd, refusal, subState, unitStatus } from "./words";

const unit = (part: Partial<Unit>) =>
  ({ status: "active", active_state: "active", sub_state: "running", load_state: "loaded", ...part }) as Unit;

test("a unit's state has a word, and its sub-state is explained", () => {
  expect([unitStatus(unit({})).word, subState(unit({}))]).toEqual(["Active", "runs"]);
  const looping = unit({ status: "unknown", active_state: "activating", sub_state: "auto-restart" });
  expect(unitStatus(looping)).toEqual({ word: "Starting", tone: "busy" });
  expect(subState(looping)).toContain("starts it again");
  expect(unitStatus(unit({ status: "unknown", active_state: "inactive", load_state: "not-found" })).word).toBe(
    "Not installed",
  );
  expect(subState(unit({ sub_state: "mounted" }))).toBe("mounted");
});

test("a machine without systemd is told from one with a unit in trouble", () => {
  const silent = unit({ status: "unknown", active_state: null, sub_state: null, load_state: null });
  expect([noSystemd([silent, silent]), noSystemd([silent, unit({})]), noSystemd([])]).toEqual([true, false, false]);
});

test("an action that is not offered says why", () => {
  const own = unit({ actions: ["start", "restart"] });
  expect(refusal(own, "stop")).toContain("the portal itself");
  expect(refusal(own, "reload")).toContain("restart it instead");
  expect(refusal(own, "restart")).toBeNull();
});

test("the journal's times are read with and without a colon, and a line without one stands beside the last", () => {
  expect(instant("2026-03-13T14:30:45+0000", "")).toBe("2026-03-13T14:30:45.000Z");
  expect(instant("2026-03-13T14:30:45+01:00", "")).toBe("2026-03-13T13:30:45.000Z");
  expect(instant("", "2026-03-13T14:30:45.000Z")).toBe("2026-03-13T14:30:45.000Z");
});
