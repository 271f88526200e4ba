import { Tooltip } from "@mantine/core";
import classes from "./Meter.module.css";

/** A number beside how much of its limit that is. */
export function Meter({ value, limit, text }: { value: number; limit: number; text: (n: number) => string }) {
  const part = limit > 0 ? Math.min(1, value / limit) : 0;
  return (
    <Tooltip label={`${text(value)} of ${text(limit)} (${Math.round(part * 100)} %)`}>
      <span className={classes.root}>
        <span className="num">{text(value)}</span>
        <span className={classes.track} aria-hidden>
          <span
            className={classes.bar}
            data-full={part > 0.9 || undefined}
            style={{ width: `${Math.max(2, part * 100)}%` }}
          />
        </span>
      </span>
    </Tooltip>
  );
}
