import type { SystemHealth } from "../api/types";

/** One measurement of the machine; `network` and `disk` count bytes since it started. */
export interface Sample {
  at: number;
  cpu: number;
  memory: number;
  network: number;
  disk: number;
}

export const sampleOf = (seen: SystemHealth, at: number): Sample => ({
  at,
  cpu: seen.cpu.percent,
  memory: seen.memory.percent,
  network: seen.net_io.bytes_sent + seen.net_io.bytes_recv,
  disk: seen.disk_io.read_bytes + seen.disk_io.write_bytes,
});

/** Bytes a second between each two samples; a counter that began anew counts as nothing. */
export const rates = (samples: Sample[], of: (sample: Sample) => number): { at: number; value: number }[] =>
  samples.slice(1).map((sample, index) => {
    const before = samples[index] as Sample;
    const seconds = Math.max(0.001, (sample.at - before.at) / 1000);
    return { at: sample.at, value: Math.max(0, of(sample) - of(before)) / seconds };
  });
