import { describe, expect, it } from "vitest";
import { readAuditSearch, readPeopleSearch, sinceOf } from "./search";

describe("what the address says", () => {
  it("keeps what fits and leaves out what does not", () => {
    expect(readAuditSearch({ page: "3", action: "login", result: "refused", since: "7d", other: 1 })).toEqual({
      page: 3,
      action: "login",
      actor: undefined,
      target: undefined,
      result: "refused",
      since: "7d",
    });
    expect(readAuditSearch({ page: -1, result: "maybe", since: "2y", action: "" })).toEqual({});
    expect(readPeopleSearch({ page: 1, search: 42 })).toEqual({ page: undefined, search: "42" });
  });
});

describe("a span", () => {
  it("begins on the minute", () => {
    const now = Date.parse("2026-11-21T08:30:42.500Z");
    expect(sinceOf("24h", now)).toBe("2026-11-20T08:30:00Z");
    expect(sinceOf(undefined, now)).toBeUndefined();
  });
});
