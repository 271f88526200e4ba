import { expect, test } from "vitest";
import { Told } from "./settling";

test("what comes back late is an echo, however much was typed meanwhile", () => {
  const told = new Told();
  told.say("b");
  told.say("bet");
  expect([told.echoes("b"), told.echoes("bet")]).toEqual([true, true]);
});

test("an echo that was left out is not waited for", () => {
  const told = new Told();
  told.say("b");
  told.say("bet");
  expect([told.echoes("bet"), told.echoes("b")]).toEqual([true, false]);
});

test("what somebody else sets is no echo, and ends the waiting", () => {
  const told = new Told();
  expect(told.echoes("")).toBe(false);
  told.say("bet");
  expect([told.echoes(""), told.echoes("bet")]).toEqual([false, false]);
});
