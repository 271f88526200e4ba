import { Checkbox, Stack } from "@mantine/core";
import { canGive, SCOPES } from "./scopes";

interface ScopeBoxesProps {
  /** What the person who gives them has. */
  held?: string[];
  chosen: string[];
  change: (chosen: string[]) => void;
}

/** The scopes that somebody can give away, one by one and in plain words. */
export function ScopeBoxes({ held, chosen, change }: ScopeBoxesProps) {
  return (
    <Checkbox.Group aria-label="Scopes" value={chosen} onChange={change}>
      <Stack gap={6} pl={28}>
        {SCOPES.filter((one) => canGive(held, one.scope)).map((one) => (
          <Checkbox key={one.scope} size="xs" value={one.scope} label={one.words} description={one.scope} />
        ))}
      </Stack>
    </Checkbox.Group>
  );
}
