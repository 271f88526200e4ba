import { Avatar } from "@mantine/core";
import type { AvatarLook } from "./types";

export const FACE_COLORS = [
  "#0b6e8f",
  "#2f6fdb",
  "#6c4fc4",
  "#a33d97",
  "#b3364a",
  "#b0551a",
  "#7d6a10",
  "#3b7a2a",
  "#12705a",
  "#4a5560",
];

/** The first letters of the first two words: "Ann Marie" is "AM". */
export function initialsOf(name: string): string {
  const words = name.split(/[\s_.-]+/).filter(Boolean);
  const letters = words.length > 1 ? words.slice(0, 2).map((word) => [...word][0]) : [...(words[0] ?? "?")].slice(0, 1);
  return letters.join("").toUpperCase();
}

/** Black or white, whichever can be read on `color` (#RRGGBB), by WCAG's relative luminance. */
export function inkOn(color: string): "#000" | "#fff" {
  const channel = (at: number) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5) > 0.183 ? "#000" : "#fff";
}

/** How a person looks: an emoji or letters on a colour. */
export function Face({ look, name, size = 28 }: { look?: AvatarLook | null; name: string; size?: number }) {
  const color = /^#[0-9a-f]{6}$/i.test(look?.color ?? "") ? look?.color : null;
  const inside = look?.emoji || look?.initials || initialsOf(name);
  if (!color && !look?.emoji && !look?.initials)
    return <Avatar size={size} name={name} color="harbor" variant="light" />;
  return (
    <Avatar
      size={size}
      color="harbor"
      variant="light"
      styles={{
        placeholder: {
          ...(color && { backgroundColor: color, color: inkOn(color) }),
          fontSize: size * (look?.emoji ? 0.55 : 0.42),
        },
      }}
    >
      {inside}
    </Avatar>
  );
}
