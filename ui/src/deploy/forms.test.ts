import { expect, test } from "vitest";
import { changes } from "../services/changes";
import { readEnv, variableProblem } from "./env";
import { gitProblem, nameFrom, nameProblem } from "./name";

test("a name is a host name label that is not reserved", () => {
  for (const good of ["a", "my-app", "x1", "a".repeat(63)]) expect(nameProblem(good)).toBeNull();
  for (const bad of ["", "My", "a_b", "-a", "a-", "api", "svc-1", "a".repeat(64)])
    expect(nameProblem(bad)).toBeTruthy();
});

test("a name is suggested from an address, a folder or a file", () => {
  expect(
    ["https://x.org/me/My_App.git", "git@x.org:me/app", "/home/me/Blog/", "site.tar.gz", "x.org/ledger/.git"].map(
      nameFrom,
    ),
  ).toEqual(["my-app", "app", "blog", "site", "ledger"]);
});

test("only addresses that can be fetched are taken", () => {
  expect(gitProblem("https://x.org/me/app")).toBeNull();
  for (const bad of ["", "git@x.org:me/app", "x.org/me/app", "https://x.org"]) expect(gitProblem(bad)).toBeTruthy();
});

test("a .env file is read with its comments, quotes and long values", () => {
  const text =
    '# note\nexport A=1\nB=\'two # words\' \nC="line\\nbreak" # why\nD=x # note\nE="one\ntwo"\nA=2\nnonsense';
  const { pairs, unread } = readEnv(text);
  expect(Object.fromEntries(pairs.map(({ name, value }) => [name, value]))).toEqual({
    A: "2",
    B: "two # words",
    C: "line\nbreak",
    D: "x",
    E: "one\ntwo",
  });
  expect(unread).toEqual(["nonsense"]);
  expect([variableProblem("A_1"), variableProblem("1A") === null]).toEqual([null, false]);
});

test("only what was typed anew or removed is sent; an untouched secret stays", () => {
  const row = (name: string, value: string, masked = false) => ({ key: name, name, value, masked });
  const before = [row("A", "1"), row("SECRET", "••••••••", true), row("OTHER", "••••••••", true), row("GONE", "x")];
  const after = [row("A", "2"), row("SECRET", "••••••••", true), row("OTHER", "new"), row("NEW", "n")];
  expect(changes(before, after)).toEqual({ A: "2", OTHER: "new", NEW: "n", GONE: null });
});
