import { expect, test } from "vitest";
import { levelOf, spans } from "./ansi";
import { LogBuffer } from "./buffer";

const line = (timestamp: string, message: string) => ({ timestamp, stream: "stdout", message });
const now = (run: () => void) => run();
const messages = (buffer: LogBuffer) => [...buffer.lines()].map((one) => one.message);

test("keeps the newest lines and counts those it let go", () => {
  const buffer = new LogBuffer(250, now);
  for (let i = 0; i < 1000; i++) buffer.add(line("t", String(i)));
  const { count, dropped, last } = buffer.snapshot();
  expect(count + dropped).toBe(1000);
  expect(count).toBeGreaterThanOrEqual(250);
  expect(count).toBeLessThan(350);
  expect(last?.message).toBe("999");
});

test("a full chunk is never touched again", () => {
  const buffer = new LogBuffer(1000, now);
  for (let i = 0; i < 150; i++) buffer.add(line("t", String(i)));
  const [first, second] = buffer.snapshot().chunks;
  buffer.add(line("t", "150"));
  expect(buffer.snapshot().chunks[0]).toBe(first);
  expect(buffer.snapshot().chunks[1]).not.toBe(second);
  expect(second?.lines).toHaveLength(50);
});

test("readers are told once for many lines", () => {
  const runs: (() => void)[] = [];
  const buffer = new LogBuffer(1000, (run) => runs.push(run));
  let told = 0;
  buffer.subscribe(() => told++);
  for (let i = 0; i < 50; i++) buffer.add(line("t", String(i)));
  expect([runs.length, told]).toEqual([1, 0]);
  runs[0]?.();
  expect(told).toBe(1);
});

test("after a cut, lines of the last moment are neither lost nor shown twice", () => {
  const buffer = new LogBuffer(1000, now);
  for (const one of [line("1", "a"), line("2", "b"), line("2", "b")]) buffer.add(one);
  expect(buffer.resume()).toBe("2");
  for (const one of [line("2", "b"), line("2", "b"), line("2", "b"), line("2", "c"), line("3", "b")]) buffer.add(one);
  expect(messages(buffer)).toEqual(["a", "b", "b", "b", "c", "b"]);
});

test("terminal colours become spans, other codes vanish", () => {
  expect(spans("\u001b[1;31mbad\u001b[0m \u001b[38;5;31mblue?\u001b[2K ok")).toEqual([
    { text: "bad", color: "red", bold: true },
    { text: " " },
    { text: "blue?" },
    { text: " ok" },
  ]);
});

test("a line's level is read from its words", () => {
  expect(["ERROR no", "a warning", "DEBUG x", "terrors", "fine"].map(levelOf)).toEqual([
    "error",
    "warn",
    "debug",
    undefined,
    undefined,
  ]);
});
