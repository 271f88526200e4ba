import { Tooltip } from "@mantine/core";
import classes from "./Confidence.module.css";
import { sureness } from "./confidence";

/** How sure it is: a word, and a bar for the eye. */
export function Confidence({ value }: { value: number | string }) {
  const { part, word } = sureness(value);
  return (
    <Tooltip label={`${Math.round(part * 100)} % sure`}>
      <span className={classes.root} data-sure={word}>
        <span className={classes.word}>{word}</span>
        <span className={classes.track} aria-hidden>
          <span className={classes.bar} style={{ width: `${Math.max(4, part * 100)}%` }} />
        </span>
      </span>
    </Tooltip>
  );
}
