import { describe, expect, it } from "vitest";
import type { Invite } from "./types";
import { detailLines, inviteState, inWords, listOf, targetOf } from "./words";

const NOW = Date.parse("2026-11-21T08:00:00Z");
const invite = (change: Partial<Invite>): Invite => ({
  id: 1,
  code: "abc",
  type: "single_use",
  label: "",
  role: "user",
  scopes: null,
  customer_id: null,
  created_at: "2026-11-20T08:00:00Z",
  expires_at: null,
  max_uses: 1,
  uses: 0,
  revoked_at: null,
  active: true,
  ...change,
});

describe("an invite", () => {
  it("says why it no longer works", () => {
    expect(inviteState(invite({}), NOW)).toBe("active");
    expect(inviteState(invite({ uses: 1 }), NOW)).toBe("used");
    expect(inviteState(invite({ expires_at: "2026-11-21T07:59:59Z" }), NOW)).toBe("expired");
    expect(inviteState(invite({ uses: 1, revoked_at: "2026-11-21T07:00:00Z" }), NOW)).toBe("revoked");
  });
});

describe("an act", () => {
  it("is told in words", () => {
    expect(inWords("reset_password")).toBe("Reset password");
    expect(targetOf({ target_type: "invite-code", target_id: "3" })).toBe("invite code 3");
    expect(targetOf({ target_type: "", target_id: "" })).toBe("");
    expect(detailLines({ role_before: "user", deleted: { tokens: 2 } })).toEqual([
      ["role before", "user"],
      ["deleted", '{"tokens":2}'],
    ]);
  });
});

describe("a list that was typed", () => {
  it("may have lines, commas and doubles", () => {
    expect(listOf("192.168.0.0/16, 10.0.0.0/8\n10.0.0.0/8 ")).toEqual(["192.168.0.0/16", "10.0.0.0/8"]);
    expect(listOf(" \n")).toEqual([]);
  });
});
