import { expect, test } from "vitest";
import { fromBase64url, passkeyProblem, requestOptions, toBase64url } from "./webauthn";

test("base64url has no padding and neither plus nor slash", () => {
  const bytes = Uint8Array.from([251, 255, 190, 0, 1]);
  expect(toBase64url(bytes)).toBe("-_--AAE");
  expect(toBase64url(bytes.buffer)).toBe("-_--AAE");
});

test("what is encoded comes back, whatever its length", () => {
  for (let length = 0; length < 40; length++) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 73 + length) % 256);
    expect(fromBase64url(toBase64url(bytes))).toEqual(bytes);
  }
});

test("padding and plain base64 are taken too", () => {
  expect(fromBase64url("+/++AAE=")).toEqual(Uint8Array.from([251, 255, 190, 0, 1]));
});

test("the options of a request get bytes where the browser wants bytes", () => {
  const made = requestOptions({
    challenge: "AQI",
    rpId: "localhost",
    allowCredentials: [{ id: "AwQ", type: "public-key" }],
  });
  expect(made.challenge).toEqual(Uint8Array.from([1, 2]));
  expect(made.rpId).toBe("localhost");
  expect(made.allowCredentials).toEqual([{ id: Uint8Array.from([3, 4]), type: "public-key" }]);
});

test("a cancelled passkey is told in words, anything else as it came", () => {
  const cancelled = Object.assign(new Error("The operation either timed out or was not allowed."), {
    name: "NotAllowedError",
  });
  expect(passkeyProblem(cancelled).message).toContain("cancelled");
  expect(passkeyProblem(new Error("disk full")).message).toBe("disk full");
});
