import { PasswordInput, SimpleGrid, Text, TextInput } from "@mantine/core";
import { looksSecret } from "./compose";

interface Props {
  names: string[];
  values: Record<string, string>;
  change: (values: Record<string, string>) => void;
  /** What stands in an empty field, by name. */
  hints?: Record<string, string>;
  secret?: (name: string) => boolean;
  errors: Record<string, string>;
}

/** One field for each variable that a document asks for. */
export function NamedValues({ names, values, change, hints = {}, secret = looksSecret, errors }: Props) {
  if (names.length === 0) return null;
  return (
    <div>
      <Text size="sm" fw={600}>
        Variables
      </Text>
      <Text size="xs" c="dimmed" mb={8}>
        What the document asks for by $&#123;NAME&#125;. An empty one takes the default written there.
      </Text>
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" verticalSpacing="xs">
        {names.map((name) => {
          const common = {
            label: name,
            placeholder: hints[name],
            error: errors[name],
            value: values[name] ?? "",
            autoComplete: "off",
            spellCheck: false,
            onChange: (event: { currentTarget: { value: string } }) =>
              change({ ...values, [name]: event.currentTarget.value }),
          };
          return secret(name) ? (
            <PasswordInput key={name} {...common} autoComplete="new-password" />
          ) : (
            <TextInput key={name} {...common} />
          );
        })}
      </SimpleGrid>
    </div>
  );
}

/** Only what was filled in. */
export const filledIn = (names: string[], values: Record<string, string>) =>
  Object.fromEntries(names.flatMap((name) => (values[name] ? [[name, values[name]]] : [])));
