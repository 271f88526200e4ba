/** Megabytes as "0.4 MB", "64 MB" or "1.5 GB". */
export function megabytes(mb: number): string {
  if (mb >= 1024) return `${(mb / 1024).toFixed(mb >= 10_240 ? 0 : 1)} GB`;
  return `${mb > 0 && mb < 10 ? mb.toFixed(1) : Math.round(mb)} MB`;
}

/** A size in bytes with its unit. */
export const bytes = (n: number) =>
  n < 1024 ? `${n} B` : n < 1_048_576 ? `${Math.round(n / 1024)} KB` : megabytes(n / 1_048_576);

/** Processor use in cores as a percentage of one core: 0.153 is "15 %". */
export function cpu(cores: number): string {
  const percent = cores * 100;
  return `${percent > 0 && percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** "1 service", "2 services". */
export const count = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
