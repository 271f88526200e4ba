import { Group, Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { type PointerEvent, useId, useState } from "react";
import classes from "./Chart.module.css";
import { nearest, niceTop, paths } from "./curve";
import { clock } from "./time";

export interface Point {
  /** Milliseconds since 1970. */
  at: number;
  value: number;
}

interface Props {
  title: string;
  now: string;
  of: string;
  points: Point[];
  limit: number;
  /** The top of the scale is at least this, so that nothing looks like a mountain. */
  least: number;
  /** Milliseconds shown. */
  span: number;
  text: (value: number) => string;
}

const HEIGHT = 120;
const LEFT = 48;
const BOTTOM = 18;
const TOP = 6;

/** A small area chart with axes; the limit is drawn where it is in sight. */
export function Chart({ title, now, of, points, limit, least, span, text }: Props) {
  const { ref, width } = useElementSize();
  const [hover, setHover] = useState<Point | null>(null);
  const fill = useId();
  const peak = points.reduce((most, point) => Math.max(most, point.value), least);
  const top = niceTop(peak > limit * 0.6 ? Math.max(peak, limit) : peak);
  const until = points.at(-1)?.at ?? Date.now();
  const x = (at: number) => LEFT + ((at - (until - span)) / span) * Math.max(0, width - LEFT);
  const y = (value: number) => TOP + (1 - value / top) * (HEIGHT - BOTTOM - TOP);
  const shapes = paths(points, x, y, y(0), span / 12);
  const move = (event: PointerEvent<SVGSVGElement>) => {
    const at =
      until -
      span +
      ((event.clientX - event.currentTarget.getBoundingClientRect().left - LEFT) / (width - LEFT)) * span;
    setHover(nearest(points, at));
  };
  const minutes = Math.round(span / 60_000);
  return (
    <figure className={classes.root} aria-label={`${title}: ${now} ${of}`}>
      <Group gap={6} align="baseline" mb={6}>
        <Text size="xs" c="dimmed" fw={550}>
          {title}
        </Text>
        <Text fw={650} fz="lg" lh={1} ml="auto" className="num">
          {hover ? text(hover.value) : now}
        </Text>
        <Text size="xs" c="dimmed" className="num">
          {hover ? clock(new Date(hover.at).toISOString()).slice(0, 8) : of}
        </Text>
      </Group>
      <div ref={ref}>
        <svg
          width="100%"
          height={HEIGHT}
          className={classes.svg}
          aria-hidden="true"
          onPointerMove={move}
          onPointerLeave={() => setHover(null)}
        >
          <defs>
            <linearGradient id={fill} x1="0" y1="0" x2="0" y2="1">
              <stop offset="0" stopColor="var(--busy)" stopOpacity="0.28" />
              <stop offset="1" stopColor="var(--busy)" stopOpacity="0.03" />
            </linearGradient>
          </defs>
          {(points.length ? [0, 0.5, 1] : [0, 1]).map((part) => (
            <g key={part}>
              <line className={classes.grid} x1={LEFT} x2={width} y1={y(top * part)} y2={y(top * part)} />
              <text className={classes.tick} x={LEFT - 8} y={y(top * part) + 4} textAnchor="end">
                {text(top * part)}
              </text>
            </g>
          ))}
          <text className={classes.tick} x={LEFT} y={HEIGHT - 2}>
            {minutes} min ago
          </text>
          <text className={classes.tick} x={width} y={HEIGHT - 2} textAnchor="end">
            now
          </text>
          {limit <= top && <line className={classes.limit} x1={LEFT} x2={width} y1={y(limit)} y2={y(limit)} />}
          {width > 0 && (
            <>
              <path d={shapes.area} fill={`url(#${fill})`} />
              <path d={shapes.line} className={classes.line} />
            </>
          )}
          {points.length === 0 && (
            <text className={classes.tick} x={LEFT + (width - LEFT) / 2} y={HEIGHT / 2 - 4} textAnchor="middle">
              Nothing measured yet
            </text>
          )}
          {hover && (
            <>
              <line className={classes.cross} x1={x(hover.at)} x2={x(hover.at)} y1={TOP} y2={y(0)} />
              <circle className={classes.dot} cx={x(hover.at)} cy={y(hover.value)} r={3.5} />
            </>
          )}
        </svg>
      </div>
    </figure>
  );
}
