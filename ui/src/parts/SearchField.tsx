import { CloseButton, TextInput } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useSettling } from "./settling";

interface SearchFieldProps {
  label: string;
  placeholder: string;
  className?: string;
  value: string;
  change: (text: string) => void;
}

/** A search that settles a moment after the last key, and that Escape empties. */
export function SearchField({ label, placeholder, className, value, change }: SearchFieldProps) {
  const [text, type] = useSettling(value, change, 250);
  return (
    <TextInput
      className={className}
      placeholder={placeholder}
      aria-label={label}
      leftSection={<IconSearch size={16} stroke={1.6} />}
      rightSection={text && <CloseButton size="sm" aria-label="Clear the search" onClick={() => type("")} />}
      value={text}
      onChange={(event) => type(event.currentTarget.value)}
      onKeyDown={(event) => event.key === "Escape" && type("")}
    />
  );
}
