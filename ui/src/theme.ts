import {
  ActionIcon,
  Alert,
  Button,
  type CSSVariablesResolver,
  createTheme,
  type MantineColorsTuple,
  Modal,
  Paper,
  Table,
  Text,
  Tooltip,
} from "@mantine/core";

/** The one accent: deep water. Shade 7 on white, and white on shades 6 (the dark theme) and 7 pass AA. */
const harbor: MantineColorsTuple = [
  "#e6f6fa",
  "#d2e9f0",
  "#a6d3e1",
  "#76bbd1",
  "#4fa7c3",
  "#349ab9",
  "#1a7c9b",
  "#0b6e8f",
  "#075c79",
  "#034b63",
];
/** Greys with a little blue in them, light to dark. */
const gray: MantineColorsTuple = [
  "#f7f9fa",
  "#f0f3f5",
  "#e6eaed",
  "#d8dee3",
  "#c2cad1",
  "#9aa5af",
  "#66727d",
  "#4a5560",
  "#333c45",
  "#1d242b",
];
const dark: MantineColorsTuple = [
  "#d5dbe1",
  "#b4bdc6",
  "#98a3ae",
  "#66717d",
  "#3a444e",
  "#2b343d",
  "#1f262d",
  "#171d23",
  "#12171c",
  "#0c1014",
];

/** Notices in the tones of the statuses, soft enough to live with. */
const TONES: Record<string, string> = { red: "bad", teal: "good", yellow: "warn", harbor: "busy", gray: "idle" };

export const theme = createTheme({
  primaryColor: "harbor",
  primaryShade: { light: 7, dark: 6 },
  colors: { harbor, gray, dark },
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace",
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  headings: { fontWeight: "650", sizes: { h1: { fontSize: "1.375rem", lineHeight: "1.3" }, h2: { fontSize: "1rem" } } },
  components: {
    Paper: Paper.extend({ defaultProps: { withBorder: true, radius: "md" } }),
    Button: Button.extend({ defaultProps: { size: "sm" } }),
    Text: Text.extend({ defaultProps: { size: "sm" } }),
    Alert: Alert.extend({
      defaultProps: { variant: "light" },
      vars: (_, { color = "harbor" }) => {
        const tone = TONES[color] ?? "busy";
        return { root: { "--alert-bg": `var(--${tone}-soft)`, "--alert-color": `var(--${tone})` } };
      },
      styles: {
        root: { borderColor: "color-mix(in srgb, var(--alert-color) 22%, transparent)" },
        message: { color: "var(--mantine-color-text)" },
      },
    }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: "subtle", color: "gray" } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 300, withArrow: true, fz: "xs" } }),
    Table: Table.extend({
      defaultProps: { verticalSpacing: 8, horizontalSpacing: "md", fz: "sm", classNames: { th: "table-head" } },
    }),
    Modal: Modal.extend({ defaultProps: { centered: true }, styles: { title: { fontWeight: 650 } } }),
  },
});

const light = (color: string, tone: string) => ({
  [`--mantine-color-${color}-light`]: `var(--${tone}-soft)`,
  [`--mantine-color-${color}-light-color`]: `var(--${tone})`,
});

/** Light buttons, badges and avatars wear the same soft tones as the statuses, in both themes. */
export const tones: CSSVariablesResolver = () => {
  const variables = {
    ...light("harbor", "busy"),
    ...light("gray", "idle"),
    ...light("red", "bad"),
    ...light("yellow", "warn"),
  };
  const shared = {
    ...variables,
    "--mantine-color-error": "var(--bad)",
    "--mantine-color-red-filled": "#c92a2a",
    "--mantine-color-red-filled-hover": "#b02525",
  };
  return { variables: {}, light: shared, dark: shared };
};
