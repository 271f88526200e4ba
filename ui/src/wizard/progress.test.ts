import { expect, test } from "vitest";
import { after, type Facts, keepProgress, readProgress, stepOf, wasDone } from "./progress";

const printed: Facts = {
  role: "superadmin",
  has_password: true,
  password_changed_at: null,
  totp_enabled: false,
};
const chosen: Facts = { ...printed, password_changed_at: "2026-11-21T08:00:00Z" };

test("a first run begins with the printed password, for the first administrator alone", () => {
  expect(stepOf(printed, null)).toBe("password");
  expect(stepOf({ ...printed, role: "user" }, null)).toBeNull();
});

test("it goes on where it was, in this browser", () => {
  expect(stepOf(chosen, after(null, "password"))).toBe("factor");
  expect(stepOf(chosen, after(after(null, "password"), "factor"))).toBe("names");
});

test("a password that was chosen elsewhere is not asked for again, nor is anything else", () => {
  expect(stepOf(chosen, null)).toBeNull();
});

test("what the server knows to be done is passed over", () => {
  expect(stepOf({ ...chosen, totp_enabled: true }, { past: ["password"], left: false })).toBe("names");
});

test("what was skipped is not said to be done", () => {
  expect([wasDone(printed, "password"), wasDone(chosen, "password"), wasDone(chosen, "factor")]).toEqual([
    false,
    true,
    false,
  ]);
  expect(wasDone(chosen, "invite")).toBe(true);
});

test("it does not come again once it was left or has ended", () => {
  expect(stepOf(printed, { past: [], left: true })).toBeNull();
  expect(stepOf(chosen, { past: ["password", "factor", "names", "invite", "begin"], left: false })).toBeNull();
});

test("what is kept can be read, and what is broken counts as nothing", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, text: string) => void kept.set(name, text),
  };
  keepProgress(storage, "usr_1", { past: ["password"], left: true });
  expect(readProgress(storage, "usr_1")).toEqual({ past: ["password"], left: true });
  expect(readProgress(storage, "usr_2")).toBeNull();
  expect(readProgress({ getItem: () => "{" }, "usr_1")).toBeNull();
});
