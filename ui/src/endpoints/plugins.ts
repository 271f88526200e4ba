/** What an endpoint can be reached through, with the usual port. */
export const PLUGINS: { value: string; label: string; port: number }[] = [
  { value: "https", label: "Web site (https)", port: 443 },
  { value: "http", label: "Web site (http)", port: 80 },
  { value: "ssh", label: "Shell (ssh)", port: 22 },
  { value: "vnc", label: "Screen (VNC)", port: 5900 },
  { value: "rdp", label: "Windows screen (RDP)", port: 3389 },
  { value: "spice", label: "Screen of a virtual machine (SPICE)", port: 5900 },
  { value: "tcp", label: "Any TCP port", port: 0 },
];

export const pluginWord = (plugin: string | null | undefined) =>
  PLUGINS.find((one) => one.value === plugin)?.label ?? plugin ?? "–";

/** Why `host` cannot be one; null when it can. The portal checks the rest, and whether it may be reached. */
export function hostProblem(host: string): string | null {
  if (!host) return "Give a host name or an address.";
  if (/[\s/]|:\/\//.test(host)) return "Only the host: no https://, no path.";
  return null;
}

export function portProblem(port: number | string): string | null {
  const number = Number(port);
  return Number.isInteger(number) && number >= 1 && number <= 65_535 ? null : "A number from 1 to 65535.";
}
