import { expect, test } from "vitest";
import { ends, matching, nameProblem, relayProblem, tunnelsInPage } from "./words";

test("a name is a label, and may be left out", () => {
  expect(["", "demo", "a-b", "x1"].map(nameProblem)).toEqual([null, null, null, null]);
  expect(["-a", "a-", "A", "a.b", "a b"].every((name) => nameProblem(name)?.startsWith("Small"))).toBe(true);
  expect(nameProblem("a".repeat(64))).toBe("At most 63 characters");
});

test("what was just shared for eight hours ends in eight hours", () => {
  const now = Date.parse("2026-01-01T12:00:00Z");
  const at = (seconds: number) => ends({ expires_at: new Date(now + seconds * 1000).toISOString() }, now);
  expect([at(28_799), at(28_700), at(150), at(-7200)]).toEqual([
    "in 8 hours",
    "in 7 hours",
    "in 2 minutes",
    "2 hours ago",
  ]);
  expect(ends({ expires_at: null }, now)).toBe("When ended");
});

test("a relay is an https address", () => {
  expect(["", "relay.example.org", "https://relay.example.org:8443"].map(relayProblem)).toEqual([null, null, null]);
  expect(["http://relay.example.org", "https://me@relay.example.org"].map(relayProblem)).toEqual([
    "It begins with https://",
    "It begins with https://",
  ]);
  expect(relayProblem("https://")).toBe("Write it as https://relay.example.org");
});

test("the page's own tunnels are read in both spellings, metadata as object or text", () => {
  const first = { name: "a", Hostname: "a.localhost", Ready: 2, Metadata: { description: "One", tags: ["x"] } };
  const second = { name: "b", hostname: "b.localhost", ready: 0, metadata: '{"owner": "eve"}' };
  const found = tunnelsInPage(JSON.stringify([first, second]));
  expect(found?.map((one) => [one.name, one.hostname, one.description, one.owner, one.online])).toEqual([
    ["a", "a.localhost", "One", "", true],
    ["b", "b.localhost", "", "eve", false],
  ]);
});

test("a page without tunnels, or with something else in their place, has none", () => {
  expect([null, "", "{", "{}"].map((text) => tunnelsInPage(text))).toEqual([null, null, null, null]);
});

test("a search means all its words, wherever they are", () => {
  const [one, two] =
    tunnelsInPage(
      JSON.stringify([
        { name: "blog", Hostname: "blog.localhost", Metadata: { description: "Eve's garden", tags: ["plants"] } },
        { name: "shop", Hostname: "shop.localhost", Metadata: { owner: "eve" } },
      ]),
    ) ?? [];
  if (!one || !two) throw new Error("two tunnels");
  expect(matching([one, two], "EVE")).toEqual([one, two]);
  expect(matching([one, two], "eve plants")).toEqual([one]);
});
