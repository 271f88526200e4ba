import { Paper, Text } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import type { ServiceDetail } from "../api/types";
import { refused } from "../deploy/compose";
import { Editor } from "../editor/Editor";
import { Section } from "../parts/Page";
import { Save, useSave } from "./Save";

/** The compose document of a service, changed in place. What is wrong with it is said when it is saved. */
export function ComposeText({ service, disabled }: { service: ServiceDetail; disabled: boolean }) {
  const told = service.compose ?? "";
  const [saved, setSaved] = useState(told);
  const [text, setText] = useState(told);
  const save = useSave(service, "Compose document");
  const before = useRef(told);
  useEffect(() => {
    // A deploy or a rollback brought another text: it is shown, unless somebody is writing.
    const old = before.current;
    if (told === old) return;
    before.current = told;
    setSaved(told);
    setText((now) => (now === old ? told : now));
  }, [told]);
  const change = (next: string) => {
    if (save.error) save.reset();
    setText(next);
  };
  return (
    <Section
      title="Compose"
      hint={
        <Text size="xs" c="dimmed">
          What runs, in which containers. A change counts from the next deploy.
        </Text>
      }
    >
      <Paper p="md">
        <Editor
          label="Compose document"
          language="yaml"
          value={text}
          change={change}
          violations={refused(save.error)}
          readOnly={disabled}
        />
        <Save
          changed={text !== saved}
          save={save}
          run={() => save.mutate({ compose: text }, { onSuccess: () => setSaved(text) })}
          undo={() => change(saved)}
        />
      </Paper>
    </Section>
  );
}
