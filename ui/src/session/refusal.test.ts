import { expect, test } from "vitest";
import { ApiError } from "../api/client";
import { asksForSecondFactor, inviteCode, providerProblem, refusalOf, safeNext } from "./refusal";

test("too many attempts say until when", () => {
  const error = new ApiError(429, "too_many_attempts", "Too many failed sign-ins.", { details: { retry_after: 30 } });
  expect(refusalOf(error, 1000)).toEqual({
    title: "Too many attempts",
    message: "Too many failed sign-ins.",
    until: 31_000,
  });
});

test("somebody who is banned is told whom to ask", () => {
  const error = new ApiError(403, "account_banned", "This account is banned.");
  expect(refusalOf(error, 0).message).toContain("Ask whoever runs this portal");
});

test("a second factor is asked for by its methods", () => {
  const error = new ApiError(401, "2fa_required", "2fa_required", { details: { methods: ["totp", "passkey"] } });
  expect(asksForSecondFactor(error)).toEqual(["totp", "passkey"]);
  expect(asksForSecondFactor(new ApiError(401, "invalid_credentials", "Wrong."))).toBeNull();
  expect(asksForSecondFactor(null)).toBeNull();
});

test("the way back never leads to another site, nor back to the door", () => {
  expect(
    ["/services/blog?x=1", "//evil.example", "https://evil.example", "/\\evil", null, "/register?code=X"].map(safeNext),
  ).toEqual(["/services/blog?x=1", "/", "/", "/", "/", "/"]);
});

test("what the provider refused is told in words, also what is new", () => {
  expect(providerProblem("?sign_in_problem=role_missing")).toContain("no role for this portal");
  expect(providerProblem("?sign_in_problem=x_y")).toContain("(x_y)");
  expect(providerProblem("?page=2")).toBeNull();
});

test("an invite code is upper case and without spaces", () => {
  expect(inviteCode(" portal-ab12-cd34 -ef56\n")).toBe("PORTAL-AB12-CD34-EF56");
});
