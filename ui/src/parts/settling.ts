import { useDebouncedCallback } from "@mantine/hooks";
import { useEffect, useRef, useState } from "react";

/** The texts that were handed on and have not come back: an echo that is late is nobody's change. */
export class Told {
  private texts: string[] = [];

  say(text: string): void {
    this.texts.push(text);
  }

  /** Whether `value` is one of ours that comes back; those handed on before it will not come any more. */
  echoes(value: string): boolean {
    const at = this.texts.indexOf(value);
    this.texts = at < 0 ? [] : this.texts.slice(at + 1);
    return at >= 0;
  }
}

/**
 * A text that is handed to `change` a `pause` (ms) after the last key, and that follows `value` where somebody else
 * changes it. What is typed while an earlier text is on its way back stays.
 */
export function useSettling(
  value: string,
  change: (text: string) => void,
  pause: number,
): [string, (text: string) => void] {
  const [text, setText] = useState(value);
  const told = useRef(new Told());
  const settle = useDebouncedCallback((next: string) => {
    if (next !== value) told.current.say(next);
    change(next);
  }, pause);
  useEffect(() => {
    if (told.current.echoes(value)) return;
    settle.cancel();
    setText(value);
  }, [value, settle]);
  const type = (next: string) => {
    setText(next);
    settle(next);
  };
  return [text, type];
}
