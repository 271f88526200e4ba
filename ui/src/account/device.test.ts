import { expect, test } from "vitest";
import { deviceOf, isHandheld } from "./device";

const FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";
const SAFARI =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
const EDGE =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0";
const CHROME =
  "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36";

test("a browser is told by its name and its system", () => {
  expect([FIREFOX, SAFARI, EDGE, CHROME].map(deviceOf)).toEqual([
    "Firefox on Windows",
    "Safari on an iPhone",
    "Edge on a Mac",
    "Chrome on Android",
  ]);
});

test("a tool is told by what it is, the unknown by its first word", () => {
  expect(["curl/8.5.0", "homeport/1.0", "python-httpx/0.28", "MyThing/2 (x)", "", null].map(deviceOf)).toEqual([
    "curl",
    "The homeport command",
    "A Python script",
    "MyThing",
    "An unknown device",
    "An unknown device",
  ]);
});

test("phones and tablets are held in the hand", () => {
  expect([FIREFOX, SAFARI, CHROME].map(isHandheld)).toEqual([false, true, true]);
});
