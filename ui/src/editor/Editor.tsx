import { Skeleton, Stack, Text, UnstyledButton } from "@mantine/core";
import { lazy, Suspense, useState } from "react";
import { count } from "../parts/numbers";
import { Said } from "../parts/Said";
import type { CodeEditorProps } from "./CodeEditor";
import classes from "./Editor.module.css";
import { inOrder } from "./violations";

const CodeEditor = lazy(() => import("./CodeEditor"));

/** A code editor, its name above it and its problems below it, each a way to its line. */
export function Editor({ hint, ...props }: Omit<CodeEditorProps, "jump"> & { hint?: string }) {
  const [jump, setJump] = useState<{ line: number } | null>(null);
  const violations = inOrder(props.violations ?? []);
  return (
    <Stack gap={6}>
      <div>
        <Text size="sm" fw={600}>
          {props.label}
        </Text>
        <Text size="xs" c="dimmed">
          {hint}
          <span className="wide-only">{hint && " "}Esc, then Tab, leaves the editor.</span>
        </Text>
      </div>
      <Suspense fallback={<Skeleton height={props.language === "yaml" ? 240 : 140} aria-label="Loading" />}>
        <CodeEditor {...props} jump={jump} />
      </Suspense>
      {violations.length > 0 && (
        <div role="alert" aria-label={`Problems in ${props.label}`}>
          <Text size="xs" fw={600} c="var(--bad)" mb={2}>
            {count(violations.length, "problem")}
          </Text>
          <ul className={classes.list}>
            {violations.map(({ path, reason, line }) => (
              <li key={`${path} ${line} ${reason}`} data-violation={path}>
                <UnstyledButton className={classes.line} disabled={!line} onClick={() => line && setJump({ line })}>
                  <span className={classes.where}>{line ? `Line ${line}` : "Document"}</span>
                  <span>
                    {path && <code>{path}</code>} <Said text={reason} />
                  </span>
                </UnstyledButton>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Stack>
  );
}
