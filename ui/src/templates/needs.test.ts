import { expect, test } from "vitest";
import type { Template } from "../api/types";
import { matches, needs, needsDocker } from "./needs";

const KUMA = {
  id: "uptime-kuma",
  name: "Uptime Kuma",
  description: "Watches your sites",
  category: "devtools",
  tags: ["monitoring"],
  driver: "compose",
  min_resources: { cpu: 0.5, memory_mb: 256, storage_mb: 2048 },
} as unknown as Template;

test("the least that a template needs is in one line with units", () => {
  expect(needs(KUMA)).toBe("0.5 cores, 256 MB, 2.0 GB disk");
  expect(needs({ ...KUMA, min_resources: {} })).toBe("");
});

test("a search finds names, tags and categories, all words at once", () => {
  expect(["kuma", "monitoring", "developer uptime", ""].map((text) => matches(KUMA, text))).toEqual(
    Array(4).fill(true),
  );
  expect(matches(KUMA, "kuma database")).toBe(false);
});

test("what runs in containers needs Docker", () => {
  expect([needsDocker(KUMA), needsDocker({ ...KUMA, driver: "process" })]).toEqual([true, false]);
});
