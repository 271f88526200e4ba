import { PasswordInput, Progress, Text } from "@mantine/core";
import { passwordProblem, strength } from "./password";

interface NewPasswordProps {
  label: string;
  value: string;
  change: (password: string) => void;
  username?: string;
  /** The form was sent once: an empty field says what is missing too. */
  tried?: boolean;
  problem?: string;
}

const COLORS = ["red", "yellow", "teal", "teal"];

/** A password to be, with a look at how good it is. */
export function NewPassword({ label, value, change, username, tried, problem }: NewPasswordProps) {
  const why = problem ?? (value || tried ? passwordProblem(value, username) : null);
  const { level, word } = strength(value);
  return (
    <div>
      <PasswordInput
        label={label}
        description="8 characters or more; a few words in a row are easy to keep in mind"
        autoComplete="new-password"
        value={value}
        error={why}
        onChange={(event) => change(event.currentTarget.value)}
      />
      {value && !why && (
        <Text size="xs" c="dimmed" mt={6} component="div" aria-live="polite">
          <Progress value={(level + 1) * 25} size={4} color={COLORS[level]} mb={4} aria-hidden />
          {word}
        </Text>
      )}
    </div>
  );
}
