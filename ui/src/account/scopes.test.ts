import { expect, test } from "vitest";
import { canGive, reachWords } from "./scopes";

test("the scopes of a key are told in words where there are words", () => {
  expect(["*", "services:read", "services:write, services:read", "audit:read,system:read", ""].map(reachWords)).toEqual(
    ["Everything that I may do", "Look at services", "Start, stop and restart", "audit:read, system:read", "Nothing"],
  );
});

test("nobody is offered to give away what they do not hold", () => {
  const held = ["services:read", "access:*", "account:*"];
  expect(canGive(held, "services:read,account:keys")).toBe(true);
  expect(canGive(held, "services:write")).toBe(false);
  expect(canGive(held, "access:a:b")).toBe(false);
  expect(canGive(held, "*")).toBe(true);
  expect(canGive(["*"], "settings:write")).toBe(true);
  expect(canGive(undefined, "settings:write")).toBe(true);
});
