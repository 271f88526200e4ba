import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, HighlightStyle, indentUnit, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { dockerFile } from "@codemirror/legacy-modes/mode/dockerfile";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "react";
import type { Violation } from "../api/types";
import classes from "./CodeEditor.module.css";
import { spanOf } from "./violations";

export interface CodeEditorProps {
  label: string;
  language: "yaml" | "dockerfile";
  value: string;
  change: (text: string) => void;
  violations?: Violation[];
  /** Brings this line into sight and puts the cursor there; a new object each time. */
  jump?: { line: number } | null;
  readOnly?: boolean;
}

const COLORS = syntaxHighlighting(
  HighlightStyle.define([
    { tag: [tags.propertyName, tags.definition(tags.propertyName), tags.keyword], color: "var(--busy)" },
    { tag: [tags.string, tags.content], color: "var(--mantine-color-text)" },
    { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--warn)" },
    { tag: [tags.comment, tags.meta], color: "var(--ink-2)", fontStyle: "italic" },
    { tag: [tags.labelName, tags.typeName, tags.variableName], color: "var(--good)" },
    { tag: [tags.punctuation, tags.separator], color: "var(--ink-2)" },
  ]),
);
const LANGUAGES = { yaml, dockerfile: () => StreamLanguage.define(dockerFile) };

/** An editor of code with problems shown where they are. It is big: load it by `Editor`, when it is used. */
export default function CodeEditor({ label, language, value, change, violations, jump, readOnly }: CodeEditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const tell = useRef(change);
  tell.current = change;
  const first = useRef(value);

  useEffect(() => {
    if (!place.current) return;
    const editor = new EditorView({
      parent: place.current,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          bracketMatching(),
          highlightActiveLine(),
          indentUnit.of("  "),
          EditorState.tabSize.of(2),
          EditorState.readOnly.of(readOnly ?? false),
          EditorView.contentAttributes.of({ "aria-label": label }),
          keymap.of([indentWithTab, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
          LANGUAGES[language](),
          COLORS,
          EditorView.updateListener.of((update) => {
            if (update.docChanged) tell.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => editor.destroy();
  }, [label, language, readOnly]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const text = editor.state.doc.toString();
    const found: Diagnostic[] = [];
    for (const { line, path, reason } of violations ?? []) {
      const span = spanOf(text, line);
      if (span) found.push({ ...span, severity: "error", message: reason, source: path });
    }
    found.sort((a, b) => a.from - b.from);
    editor.dispatch(setDiagnostics(editor.state, found));
  }, [violations]);

  useEffect(() => {
    const editor = view.current;
    const span = jump && editor && spanOf(editor.state.doc.toString(), jump.line);
    if (!editor || !span) return;
    editor.dispatch({
      selection: { anchor: span.from },
      effects: EditorView.scrollIntoView(span.from, { y: "center" }),
    });
    editor.focus();
  }, [jump]);

  return <div ref={place} className={classes.root} data-editor={language} />;
}
