import { ActionIcon, Button, CloseButton, Group, Text, TextInput, Tooltip } from "@mantine/core";
import { useClipboard, useDebouncedValue, useLocalStorage } from "@mantine/hooks";
import {
  IconArrowDown,
  IconCheck,
  IconClock,
  IconCopy,
  IconDownload,
  IconSearch,
  IconTextWrap,
} from "@tabler/icons-react";
import {
  Fragment,
  memo,
  type ReactNode,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { download } from "../parts/download";
import { count } from "../parts/numbers";
import { tellProblem } from "../parts/tell";
import { clock, exact } from "../parts/time";
import { levelOf, spans } from "./ansi";
import { asText, type Chunk, type Line, type LogBuffer } from "./buffer";
import classes from "./LogView.module.css";

interface Props {
  buffer: LogBuffer;
  /** The name of the downloaded file. */
  name: string;
  /** Everything there is, for the download; what is on the page otherwise. */
  everything?: () => Promise<string>;
  empty: ReactNode;
  live: boolean;
  /** Lines to bring into sight once, instead of the end. */
  target?: string;
  aside?: ReactNode;
}

/** A log that follows its end until one scrolls up. */
export function LogView({ buffer, name, everything, empty, live, target, aside }: Props) {
  const shown = useSyncExternalStore(buffer.subscribe, buffer.snapshot);
  const [times, setTimes] = useLocalStorage({ key: "homeport-log-times", defaultValue: true });
  const [wrap, setWrap] = useLocalStorage({ key: "homeport-log-wrap", defaultValue: true });
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed.trim().toLowerCase(), 150);
  const { chunks } = shown;
  const matches = search
    ? chunks.map((chunk) => filtered(chunk, search)).filter((chunk) => chunk.lines.length > 0)
    : chunks;
  const found = search ? matches.reduce((sum, chunk) => sum + chunk.lines.length, 0) : shown.count;
  const { box, stuck, missed, onScroll, onWheel, toEnd } = useStick(shown.count + shown.dropped, target);
  const text = () => asText(matches.flatMap((chunk) => chunk.lines));
  const save = async () => {
    try {
      download(`${name}.log`, everything ? await everything() : text());
    } catch (error) {
      tellProblem(error as Error, "Could not download the log");
    }
  };
  return (
    <div className={classes.root}>
      <Group gap={4} className={classes.bar} wrap="nowrap">
        <TextInput
          size="xs"
          className={classes.search}
          placeholder="Search the log"
          aria-label="Search the log"
          leftSection={<IconSearch size={14} />}
          rightSection={typed && <CloseButton size="xs" aria-label="Clear the search" onClick={() => setTyped("")} />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Escape" && setTyped("")}
        />
        <Text size="xs" c="dimmed" aria-live="polite" className="num cut">
          {search ? `${count(found, "line")} match` : shown.count > 0 && count(shown.count, "line")}
        </Text>
        <Group gap={2} ml="auto" wrap="nowrap">
          {aside}
          <Switch label="Timestamps" on={times} set={setTimes} icon={<IconClock size={16} />} />
          <Switch label="Wrap long lines" on={wrap} set={setWrap} icon={<IconTextWrap size={16} />} />
          <CopyAll text={text} />
          <Tooltip label="Download">
            <ActionIcon aria-label="Download the log" onClick={() => void save()}>
              <IconDownload size={16} />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Group>
      <div className={classes.pane}>
        <div
          ref={box}
          className={classes.box}
          onScroll={onScroll}
          onWheel={onWheel}
          data-wrap={wrap || undefined}
          data-times={times || undefined}
          role="log"
          aria-label="Log"
          aria-live="off"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must be able to scroll it
          tabIndex={0}
        >
          <div className={classes.lines}>
            {shown.dropped > 0 && (
              <div className={classes.note}>
                {count(shown.dropped, "older line")} not kept on this page. Download the log to read them.
              </div>
            )}
            {matches.map((chunk) => (
              <Lines key={chunk.id} chunk={chunk} search={search} />
            ))}
            {found === 0 && <div className={classes.note}>{search ? "No line matches." : empty}</div>}
          </div>
        </div>
        {!stuck && (
          <Button size="compact-sm" className={classes.jump} leftSection={<IconArrowDown size={14} />} onClick={toEnd}>
            {live ? "Jump to live" : "Jump to the end"}
            {missed > 0 && ` · ${count(missed, "new line")}`}
          </Button>
        )}
      </div>
    </div>
  );
}

/** Keeps the end in sight until the person scrolls up; counts what came since. */
function useStick(total: number, target: string | undefined) {
  const box = useRef<HTMLDivElement>(null);
  const [stuck, setStuck] = useState(true);
  // Counts at once: until the page is drawn with what was decided, lines that come must not carry the reader away.
  const follows = useRef(true);
  const stick = (on: boolean) => {
    follows.current = on;
    setStuck(on);
  };
  const seen = useRef(total);
  const last = useRef({ top: 0, height: 0 });
  const toEnd = () => {
    stick(true);
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  };
  const onScroll = () => {
    const { scrollTop: top, scrollHeight: height, clientHeight } = box.current as HTMLDivElement;
    if (height - top - clientHeight < 24 && top >= last.current.top) stick(true);
    // Only a person scrolls up; growing content leaves the position alone, shrinking content moves it.
    else if (top < last.current.top - 1 && height >= last.current.height) stick(false);
    last.current = { top, height };
  };
  // Told before the scroll itself, so that lines that come meanwhile cannot carry the reader back to the end.
  const onWheel = ({ deltaY }: { deltaY: number }) => {
    if (deltaY < 0 && box.current && box.current.scrollTop > 0) stick(false);
  };
  useLayoutEffect(() => {
    if (stuck) seen.current = total;
  }, [stuck, total]);
  useEffect(() => {
    const element = box.current;
    if (!element || !stuck) return;
    const follow = () => {
      if (follows.current) element.scrollTop = element.scrollHeight;
    };
    follow();
    const watch = new ResizeObserver(follow);
    for (const one of [element, element.firstElementChild]) if (one) watch.observe(one);
    return () => watch.disconnect();
  }, [stuck]);
  useEffect(() => {
    const pane = box.current;
    const line = target && pane?.querySelector(target);
    if (!pane || !line || total === 0) return;
    const { scrollHeight, clientHeight } = pane;
    if (scrollHeight <= clientHeight + 24) return;
    follows.current = false;
    setStuck(false);
    pane.scrollTop += line.getBoundingClientRect().top - pane.getBoundingClientRect().top - clientHeight / 2;
  }, [target, total]);
  return { box, stuck, missed: stuck ? 0 : total - seen.current, onScroll, onWheel, toEnd };
}

const filtered = (chunk: Chunk, search: string): Chunk => ({
  id: chunk.id,
  lines: chunk.lines.filter((line) => line.message.toLowerCase().includes(search)),
});

const Lines = memo(
  function Lines({ chunk, search }: { chunk: Chunk; search: string }) {
    return (
      <div className={classes.chunk}>
        {chunk.lines.map((line) => (
          <LogLine key={line.id} line={line} search={search} />
        ))}
      </div>
    );
  },
  (before, after) =>
    before.search === after.search &&
    before.chunk.id === after.chunk.id &&
    before.chunk.lines.length === after.chunk.lines.length,
);

function LogLine({ line, search }: { line: Line; search: string }) {
  return (
    <div
      className={classes.line}
      data-stream={line.stream}
      data-level={line.stream === "step" ? undefined : levelOf(line.message)}
      data-step={line.step ?? undefined}
    >
      <time className={classes.time} dateTime={line.timestamp} title={exact(line.timestamp)}>
        {clock(line.timestamp)}
      </time>
      {line.part && <span className={classes.part}>{line.part}</span>}
      <span className={classes.text}>
        {spans(line.message).map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the spans of a line never change
          <span key={index} data-color={span.color} data-bold={span.bold} data-dim={span.dim}>
            {search ? marked(span.text, search) : span.text}
          </span>
        ))}
      </span>
    </div>
  );
}

function marked(text: string, search: string): ReactNode {
  const parts: ReactNode[] = [];
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(search); at >= 0; at = lower.indexOf(search, from)) {
    parts.push(
      <Fragment key={from}>{text.slice(from, at)}</Fragment>,
      <mark key={`m${at}`}>{text.slice(at, at + search.length)}</mark>,
    );
    from = at + search.length;
  }
  parts.push(<Fragment key="end">{text.slice(from)}</Fragment>);
  return parts;
}

function Switch({ label, on, set, icon }: { label: string; on: boolean; set: (on: boolean) => void; icon: ReactNode }) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        aria-label={label}
        aria-pressed={on}
        variant={on ? "light" : "subtle"}
        color={on ? "harbor" : "gray"}
        onClick={() => set(!on)}
      >
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}

function CopyAll({ text }: { text: () => string }) {
  const { copied, copy } = useClipboard({ timeout: 1500 });
  return (
    <Tooltip label={copied ? "Copied" : "Copy"}>
      <ActionIcon aria-label="Copy the log" onClick={() => copy(text())}>
        {copied ? <IconCheck size={16} color="var(--good)" /> : <IconCopy size={16} />}
      </ActionIcon>
    </Tooltip>
  );
}
