import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backoff, type Change, LiveSocket, type LiveState, type Wire } from "./socket";

class FakeWire implements Wire {
  onmessage: Wire["onmessage"] = null;
  onclose: Wire["onclose"] = null;
  closed = false;
  constructor(readonly cursor: string | null) {}
  close() {
    this.closed = true;
  }
  say(message: object) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let wires: FakeWire[];
let states: LiveState[];
let changes: string[];
let resets: number;
let ends: number;
let socket: LiveSocket;

beforeEach(() => {
  vi.useFakeTimers();
  [wires, states, changes, resets, ends] = [[], [], [], 0, 0];
  const listener = {
    change: (change: Change) => void changes.push(change.id),
    reset: () => void resets++,
    state: (state: LiveState) => void states.push(state),
    ended: () => void ends++,
  };
  const connect = (cursor: string | null) => {
    const wire = new FakeWire(cursor);
    wires.push(wire);
    return wire;
  };
  socket = new LiveSocket(connect, listener, () => 1);
  socket.open();
});
afterEach(() => vi.useRealTimers());

const change = (cursor: string, id: string) => ({
  type: "change",
  cursor,
  topic: "service",
  action: "changed",
  id,
  data: {},
});
const wire = (index: number) => wires[index] as FakeWire;

test("begins without a cursor and fetches again what was fetched before it followed", () => {
  wire(0).say({ type: "hello", cursor: "e.4" });
  expect([wire(0).cursor, states, resets]).toEqual([null, ["connecting", "live"], 1]);
});

test("comes back with the cursor of the last change, and fetches nothing again", () => {
  wire(0).say({ type: "hello", cursor: "e.4" });
  wire(0).say(change("e.5", "a"));
  wire(0).onclose?.({ code: 1006 });
  vi.advanceTimersByTime(500);
  wire(1).say({ type: "hello", cursor: "e.5" });
  wire(1).say(change("e.6", "b"));
  expect([wire(1).cursor, changes, resets, states.at(-1)]).toEqual(["e.5", ["a", "b"], 1, "live"]);
});

test("a reset fetches everything again", () => {
  wire(0).say({ type: "hello", cursor: "e.4" });
  wire(0).onclose?.({ code: 1006 });
  vi.advanceTimersByTime(500);
  wire(1).say({ type: "reset", cursor: "f.0" });
  expect(resets).toBe(2);
});

test("waits longer after each failure, up to 15 seconds, and not at all when the network is back", () => {
  expect([0, 1, 2, 9].map((attempt) => backoff(attempt, () => 1))).toEqual([500, 1000, 2000, 15_000]);
  expect(backoff(0, () => 0)).toBe(250);
  wire(0).onclose?.({ code: 1006 });
  socket.hurry();
  expect(wires).toHaveLength(2);
});

test("a session that ended is told, a connection that broke is not", () => {
  wire(0).onclose?.({ code: 1006 });
  vi.advanceTimersByTime(500);
  expect(ends).toBe(0);
  wire(1).onclose?.({ code: 4401 });
  expect(ends).toBe(1);
});

test("closed means closed", () => {
  socket.close();
  wire(0).onclose?.({ code: 1000 });
  vi.advanceTimersByTime(60_000);
  expect([wires.length, wire(0).closed]).toEqual([1, true]);
});
