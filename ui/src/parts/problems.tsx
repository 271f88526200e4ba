import { Alert } from "@mantine/core";
import { ApiError } from "../api/client";

/** What the server says about single fields, by the name it gives them. */
export const fieldsOf = (error: Error | null): Record<string, string> =>
  error instanceof ApiError ? error.fields : {};

interface RefusedProps {
  error: Error | null;
  /** The fields whose problems stand beside their inputs, so that they are not said twice. */
  shown?: string[];
}

/** Why the server did not do it, where that does not stand beside a field already. */
export function Refused({ error, shown = [] }: RefusedProps) {
  const fields = Object.keys(fieldsOf(error));
  if (!error || (fields.length > 0 && fields.every((field) => shown.includes(field)))) return null;
  return (
    <Alert color="red" variant="light" p="xs" role="alert">
      {error.message}
    </Alert>
  );
}
