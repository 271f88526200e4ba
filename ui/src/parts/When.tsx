import { Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";
import { ago, exact } from "./time";

let now = Date.now();
const readers = new Set<() => void>();
let ticker: ReturnType<typeof setInterval> | undefined;

function subscribe(reader: () => void) {
  readers.add(reader);
  ticker ??= setInterval(() => {
    now = Date.now();
    for (const tell of readers) tell();
  }, 1000);
  return () => {
    readers.delete(reader);
    if (readers.size === 0) {
      clearInterval(ticker);
      ticker = undefined;
    }
  };
}

/** The present, once a second, from one timer for the whole page. */
export const useNow = () =>
  useSyncExternalStore(subscribe, () => {
    if (readers.size === 0) now = Date.now();
    return now;
  });

/** How long ago, with the exact time on hover. */
export function When({ at, prefix = "" }: { at: string; prefix?: string }) {
  const text = useSyncExternalStore(subscribe, () => ago(at, Math.max(now, Date.now() - 1000)));
  return (
    <Tooltip label={exact(at)}>
      <time dateTime={at} style={{ whiteSpace: "nowrap" }}>
        {prefix}
        {text}
      </time>
    </Tooltip>
  );
}
