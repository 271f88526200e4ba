import { NumberInput, PasswordInput, Select, Switch, TextInput } from "@mantine/core";
import type { TemplateVariable } from "../api/types";

interface Props {
  variables: TemplateVariable[];
  values: Record<string, string>;
  change: (values: Record<string, string>) => void;
  errors: Record<string, string>;
}

/** The values a new service starts from. */
export const defaults = (variables: TemplateVariable[]) =>
  Object.fromEntries(
    variables
      .filter((one) => one.default !== undefined && one.default !== null)
      .map((one) => [one.name, String(one.default)]),
  );

/** What is missing or wrong, by name. */
export function fieldProblems(variables: TemplateVariable[], values: Record<string, string>): Record<string, string> {
  const problems: Record<string, string> = {};
  for (const { name, label, required, type, generated } of variables) {
    const value = values[name] ?? "";
    if (required && !value && !generated) problems[name] = `${label || name} is needed.`;
    else if (type === "int" && value && !/^-?\d+$/.test(value)) problems[name] = "Give a whole number.";
  }
  return problems;
}

/** The form that a template asks for. */
export function TemplateFields({ variables, values, change, errors }: Props) {
  return variables.map((one) => {
    const value = values[one.name] ?? "";
    const set = (next: string) => change({ ...values, [one.name]: next });
    const common = {
      key: one.name,
      name: one.name,
      label: one.label || one.name,
      description: one.description || undefined,
      error: errors[one.name],
      required: one.required && !one.generated,
    };
    if (one.type === "bool") {
      const { required: _, ...rest } = common;
      return (
        <Switch
          {...rest}
          key={one.name}
          checked={value === "true"}
          onChange={(event) => set(String(event.currentTarget.checked))}
        />
      );
    }
    if (one.type === "enum")
      return (
        <Select
          {...common}
          key={one.name}
          data={one.options ?? []}
          value={value || null}
          allowDeselect={!one.required}
          onChange={(next) => set(next ?? "")}
        />
      );
    if (one.type === "int")
      return (
        <NumberInput
          {...common}
          key={one.name}
          allowDecimal={false}
          value={value}
          onChange={(next) => set(String(next))}
        />
      );
    if (one.secret || one.type === "password" || one.type === "secret")
      return (
        <PasswordInput
          {...common}
          key={one.name}
          placeholder={one.generated ? "Leave empty to have one made" : undefined}
          autoComplete="new-password"
          value={value}
          onChange={(event) => set(event.currentTarget.value)}
        />
      );
    return <TextInput {...common} key={one.name} value={value} onChange={(event) => set(event.currentTarget.value)} />;
  });
}
