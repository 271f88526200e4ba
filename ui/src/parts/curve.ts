interface Point {
  at: number;
  value: number;
}

/** The next round number at or above `value`: 1, 2, 2.5 or 5 times a power of ten; powers of two for larger ones. */
export function niceTop(value: number): number {
  if (value >= 16) return 2 ** Math.ceil(Math.log2(value));
  const power = 10 ** Math.floor(Math.log10(value || 1));
  return ([1, 2, 2.5, 5, 10].find((step) => step * power >= value * 0.999) ?? 10) * power;
}

/** SVG paths of the line and of the area under it; broken where nothing was measured for longer than `gap`. */
export function paths(
  points: Point[],
  x: (at: number) => number,
  y: (value: number) => number,
  floor: number,
  gap: number,
) {
  const runs: Point[][] = [];
  for (const point of points) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last && point.at - last.at <= gap) run.push(point);
    else runs.push([point]);
  }
  const round = (n: number) => Math.round(n * 10) / 10;
  let line = "";
  let area = "";
  for (const run of runs) {
    const dots = run.map((point) => `${round(x(point.at))} ${round(y(point.value))}`);
    const [first, last] = [run[0], run.at(-1)];
    if (!first || !last) continue;
    line += `M${dots.join("L")}`;
    area += `M${round(x(first.at))} ${floor}L${dots.join("L")}L${round(x(last.at))} ${floor}Z`;
  }
  return { line, area };
}

/** The point closest to the instant `at`. */
export function nearest<T extends Point>(points: T[], at: number): T | null {
  let best: T | null = null;
  for (const point of points) if (!best || Math.abs(point.at - at) < Math.abs(best.at - at)) best = point;
  return best;
}
