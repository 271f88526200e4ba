const BROWSERS: [RegExp, string][] = [
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\bOPR\//, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bChromium\/|\bHeadlessChrome\//, "Chromium"],
  [/\bChrome\/|\bCriOS\//, "Chrome"],
  [/\bVersion\/[\d.]+.*\bSafari\//, "Safari"],
];
const SYSTEMS: [RegExp, string][] = [
  [/\biPhone\b/, "an iPhone"],
  [/\biPad\b/, "an iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bWindows\b/, "Windows"],
  [/\bMac OS X\b|\bMacintosh\b/, "a Mac"],
  [/\bLinux\b|\bX11\b/, "Linux"],
];
const TOOLS: [RegExp, string][] = [
  [/^homeport\b/i, "The homeport command"],
  [/^curl\b/i, "curl"],
  [/^Wget\b/i, "Wget"],
  [/^python-(?:httpx|requests|urllib)/i, "A Python script"],
  [/^node\b|^undici\b|^axios\b/i, "A Node script"],
  [/^Go-http-client\b/i, "A Go program"],
];

const found = (agent: string, list: [RegExp, string][]) => list.find(([pattern]) => pattern.test(agent))?.[1];

/** A user agent in words: "Firefox on Windows". What is unknown is cut to its first word. */
export function deviceOf(agent: string | null | undefined): string {
  if (!agent) return "An unknown device";
  const tool = found(agent, TOOLS);
  if (tool) return tool;
  const browser = found(agent, BROWSERS);
  const system = found(agent, SYSTEMS);
  if (browser && system) return `${browser} on ${system}`;
  if (browser) return browser;
  if (system) return `A browser on ${system}`;
  return agent.split(/[\s/]/, 1)[0]?.slice(0, 40) || "An unknown device";
}

/** Whether it is held in the hand. */
export const isHandheld = (agent: string | null | undefined) => /iPhone|iPad|Android|Mobile/.test(agent ?? "");

const METHODS: Record<string, string> = {
  password: "with a password",
  passkey: "with a passkey",
  oidc: "through the sign-in provider",
  certificate: "with a certificate",
  open: "without signing in",
};

/** How somebody signed in, in words. */
export const methodWords = (method: string) => METHODS[method] ?? `by ${method}`;
