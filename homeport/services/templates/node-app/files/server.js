// A web app in plain JavaScript: pages, JSON, a health check, data that survives a redeploy, and a clean stop.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

const env = process.env;
const host = env.HOST || "127.0.0.1";
const port = Number(env.PORT || 8080);
const name = env.SERVICE_NAME || "This app";
const greeting = env.GREETING || "Hello!";
const secretKey = env.SECRET_KEY || randomBytes(32).toString("base64url");
const data = env.DATA_DIR || "data";
const colours = {
  green: ["#2b6a4d", "#8ce99a"],
  blue: ["#1864ab", "#74c0fc"],
  violet: ["#5f3dc4", "#b197fc"],
  orange: ["#b3541e", "#ffa94d"],
};
const page = readFileSync(new URL("page.html", import.meta.url), "utf8");

// A number on disk, written whole or not at all, one write after the other.
mkdirSync(data, { recursive: true });
const file = join(data, "visits.txt");
let visits = readCount();
let written = Promise.resolve();

function readCount() {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10) || 0;
  } catch (error) {
    if (error.code === "ENOENT") return 0;
    throw error;
  }
}

function addVisit() {
  const total = ++visits;
  written = written
    .then(() => writeFile(`${file}.partial`, String(total)))
    .then(() => rename(`${file}.partial`, file))
    .catch((error) => console.error(`the count could not be written: ${error.message}`));
  return total;
}

const sign = (text) => createHmac("sha256", secretKey).update(text).digest("hex");
const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

// What the visitor's cookie says, if it was signed here.
function ownVisits(request) {
  const match = /(?:^|;\s*)visits=(\d{1,12})\.([0-9a-f]{64})(?:;|$)/.exec(request.headers.cookie || "");
  return match && timingSafeEqual(Buffer.from(match[2]), Buffer.from(sign(match[1]))) ? Number(match[1]) : 0;
}

function render(total, yours) {
  const [light, dark] = colours[env.ACCENT] || colours.violet;
  const settings = {
    Name: name,
    PORT: port,
    DATA_DIR: data,
    Release: env.HOMEPORT_RELEASE || "none",
    "Up for": `${Math.floor(process.uptime())} seconds`,
  };
  const rows = Object.entries(settings).map(([key, value]) => `<dt>${escape(key)}</dt><dd>${escape(value)}</dd>`).join("");
  const values = {
    name: escape(name), greeting: escape(greeting), runtime: `Node ${process.version.slice(1)}`,
    visits: total, yours, settings: rows, light, dark,
  };
  return page.replace(/\$([a-z]+)/g, (whole, key) => (key in values ? values[key] : whole));
}

function answer(request, response, status, type, body, headers = {}) {
  response.writeHead(status, {
    "Content-Type": `${type}; charset=utf-8`,
    "Content-Length": Buffer.byteLength(body),
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

const server = createServer((request, response) => {
  const path = request.url.split("?")[0];
  if (path !== "/health") response.on("finish", () => console.log(`${request.method} ${request.url} ${response.statusCode}`));
  if (request.method !== "GET" && request.method !== "HEAD") answer(request, response, 405, "text/plain", "Only GET and HEAD.\n");
  else if (path === "/health") answer(request, response, 200, "text/plain", "ok\n");
  else if (path === "/api/visits") answer(request, response, 200, "application/json", JSON.stringify({ visits }));
  else if (path === "/") {
    const yours = ownVisits(request) + 1;
    answer(request, response, 200, "text/html", render(addVisit(), yours), {
      "Set-Cookie": `visits=${yours}.${sign(String(yours))}; Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax`,
      "Cache-Control": "no-store",
    });
  } else answer(request, response, 404, "text/plain", "There is nothing here.\n");
});

// Requests under way are finished and the count is on disk before the process ends; idle connections hold nobody up.
function stop() {
  console.log("asked to stop: finishing what is under way");
  server.close(async () => {
    await written;
    console.log("stopped");
    process.exit(0);
  });
  server.closeIdleConnections();
}

process.on("SIGTERM", stop);
process.on("SIGINT", stop);
server.keepAliveTimeout = 75_000;
server.listen(port, host, () => console.log(`${name} listens on ${host} port ${port}, Node ${process.version.slice(1)}`));
