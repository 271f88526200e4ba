import { describe, expect, it } from "vitest";
import { rates, type Sample } from "./rates";

const sample = (at: number, network: number): Sample => ({ at, network, cpu: 0, memory: 0, disk: 0 });

describe("rates", () => {
  it("are bytes a second between two samples", () => {
    const samples = [sample(0, 1000), sample(5000, 6000), sample(10_000, 6000)];
    expect(rates(samples, (one) => one.network)).toEqual([
      { at: 5000, value: 1000 },
      { at: 10_000, value: 0 },
    ]);
  });

  it("take a counter that began anew for nothing", () => {
    expect(rates([sample(0, 9000), sample(5000, 10)], (one) => one.network)[0]?.value).toBe(0);
    expect(rates([sample(0, 1)], (one) => one.network)).toEqual([]);
  });
});
