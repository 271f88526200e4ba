import { unzipSync } from "fflate";
import { expect, test } from "vitest";
import { choose, pack } from "./collect";

const picked = (files: Record<string, string>) =>
  Object.entries(files).map(([path, text]) => ({ path, file: new File([text], path) }));
const names = async (files: Record<string, string>) => (await choose(picked(files))).files.map((one) => one.path);

test("history and installed packages are never sent, and it is said", async () => {
  const { files, skipped } = await choose(picked({ "app.js": "", ".git/HEAD": "", "web/node_modules/x/y.js": "" }));
  expect([files.map((one) => one.path), skipped]).toEqual([["app.js"], [".git", "node_modules"]]);
});

test(".gitignore files count from their own folder down, the nearest last", async () => {
  const kept = await names({
    ".gitignore": "*.log\n/dist\n",
    "a.log": "",
    "dist/x": "",
    "web/dist/y": "",
    "web/.gitignore": "!keep.log\n",
    "web/keep.log": "",
  });
  expect(kept).toEqual([".gitignore", "web/dist/y", "web/.gitignore", "web/keep.log"]);
});

test("a folder becomes a zip with its paths, and scripts may be run", async () => {
  const { file, files, bytes } = await pack("app", picked({ "start.sh": "#!/bin/sh\n", "static/a.txt": "hello" }));
  const data = new Uint8Array(await file.arrayBuffer());
  const content = unzipSync(data);
  expect([Object.keys(content), files, bytes]).toEqual([["start.sh", "static/a.txt"], 2, 15]);
  expect(new TextDecoder().decode(content["static/a.txt"])).toBe("hello");
  const central = Buffer.from(data).indexOf("PK\u0001\u0002", 0, "latin1");
  expect(Buffer.from(data).readUInt32LE(central + 38) >>> 16).toBe(0o100755);
});

test("an empty folder is refused with a reason", async () => {
  await expect(pack("app", picked({ ".git/HEAD": "" }))).rejects.toThrow("nothing to deploy");
});
