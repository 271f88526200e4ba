import { expect, test } from "vitest";
import { leaseState, rate } from "./relayWords";

const well = { is_banned: false, is_denied: false, is_ip_banned: false, waits: false, ready: 1, open: 0 };

test("what keeps visitors out of a tunnel is said before that it is online", () => {
  expect(leaseState(well).word).toBe("Online");
  expect(leaseState({ ...well, ready: 0, open: 2 }).word).toBe("Online");
  expect(leaseState({ ...well, ready: 0 }).word).toBe("No agent");
  expect(leaseState({ ...well, waits: true }).word).toBe("Waits for approval");
  expect(leaseState({ ...well, is_banned: true, is_denied: true }).word).toBe("Banned");
});

test("a limit has a unit", () => {
  expect([0, 500, 250_000, 1_500_000, 2_000_000_000].map(rate)).toEqual([
    "no limit",
    "500 B/s",
    "250 KB/s",
    "1.5 MB/s",
    "2 GB/s",
  ]);
});
