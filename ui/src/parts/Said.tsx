import { Fragment } from "react";

/** A sentence of the portal, with what it puts between backticks shown as code. */
export function Said({ text }: { text: string }) {
  return text.split("`").map((part, index) => {
    const key = `${index} ${part}`;
    return index % 2 ? <code key={key}>{part}</code> : <Fragment key={key}>{part}</Fragment>;
  });
}
