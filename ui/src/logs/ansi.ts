export interface Span {
  text: string;
  color?: string;
  bold?: boolean;
  dim?: boolean;
}

const COLORS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];
const ESC = String.fromCharCode(27);
const BEL = String.fromCharCode(7);
/** Colour and cursor codes, titles of windows, and other control characters but the tab. */
const CODES = new RegExp(
  `${ESC}\\[([0-9;]*)([A-Za-z])|${ESC}\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)|(?!\\t)\\p{Cc}`,
  "gu",
);

/** Text with terminal colours as spans; other terminal codes are left out. */
export function spans(text: string): Span[] {
  if (!text.includes(ESC)) return [{ text: text.replace(CODES, "") }];
  const found: Span[] = [];
  let style: Omit<Span, "text"> = {};
  let from = 0;
  const push = (to: number) => {
    if (to > from) found.push({ text: text.slice(from, to), ...style });
  };
  for (const match of text.matchAll(CODES)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") style = styled(style, match[1] ?? "");
  }
  push(text.length);
  return found;
}

function styled(before: Omit<Span, "text">, codes: string): Omit<Span, "text"> {
  const style = { ...before };
  const numbers = codes.split(";").map(Number);
  for (let i = 0; i < numbers.length; i++) {
    const code = numbers[i] ?? 0;
    if (code === 0) {
      style.color = undefined;
      style.bold = undefined;
      style.dim = undefined;
    } else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 22) {
      style.bold = undefined;
      style.dim = undefined;
    } else if (code >= 30 && code <= 37) style.color = COLORS[code - 30];
    else if (code >= 90 && code <= 97) style.color = COLORS[code - 90];
    else if (code === 39) style.color = undefined;
    // 256 colours and true colour take arguments, which must not be read as codes.
    else if (code === 38 || code === 48) i += numbers[i + 1] === 5 ? 2 : numbers[i + 1] === 2 ? 4 : 0;
  }
  return style;
}

const LEVELS: [string, RegExp][] = [
  ["error", /\b(error|fatal|critical|panic|traceback|exception|failed|could not)\b|Error:/i],
  ["warn", /\bwarn(ing)?\b/i],
  ["debug", /\b(debug|trace)\b/i],
];

/** How serious a line reads: error, warn, debug or nothing. */
export const levelOf = (message: string) => LEVELS.find(([, words]) => words.test(message.slice(0, 200)))?.[0];
