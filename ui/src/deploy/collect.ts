import ignore from "ignore";

export interface Picked {
  /** From the folder that was picked, with / between. */
  path: string;
  file: File;
}

export interface Collected {
  file: Blob;
  name: string;
  files: number;
  /** Before packing. */
  bytes: number;
  /** What was left out, and how many files of it where that is known. */
  skipped: string[];
}

const ARCHIVE = /\.(zip|tar|tar\.gz|tgz)$/i;
/** Never part of a deploy: history, and what an install makes again. */
const ALWAYS = new Set([".git", "node_modules", "__pycache__", ".venv", ".DS_Store"]);

export const isArchive = (name: string) => ARCHIVE.test(name);

/** The files to send: without what is never sent and what .gitignore files (in any folder) leave out. */
export async function choose(all: Picked[]): Promise<{ files: Picked[]; skipped: string[] }> {
  const skipped = new Set<string>();
  const kept = all.filter(({ path }) => {
    const parts = path.split("/");
    const at = parts.findIndex((part) => ALWAYS.has(part));
    if (at >= 0) skipped.add(parts[at] ?? "");
    return at < 0;
  });
  const rules: { folder: string; rule: ReturnType<typeof ignore> }[] = [];
  for (const { path, file } of kept)
    if (path === ".gitignore" || path.endsWith("/.gitignore"))
      rules.push({ folder: path.slice(0, -".gitignore".length), rule: ignore().add(await file.text()) });
  rules.sort((a, b) => a.folder.length - b.folder.length);
  let ignored = 0;
  const files = kept.filter(({ path }) => {
    let out = false;
    for (const { folder, rule } of rules) {
      if (!path.startsWith(folder) || path === folder) continue;
      const verdict = rule.test(path.slice(folder.length));
      if (verdict.ignored) out = true;
      else if (verdict.unignored) out = false;
    }
    if (out) ignored += 1;
    return !out;
  });
  const words = [...skipped].toSorted();
  if (ignored) words.push(`${ignored} ${ignored === 1 ? "file" : "files"} named in .gitignore`);
  return { files, skipped: words };
}

/** Packs a folder for sending. Raises Error with a sentence when there is nothing to send. */
export async function pack(name: string, all: Picked[]): Promise<Collected> {
  const { files, skipped } = await choose(all);
  if (files.length === 0) throw new Error("There is nothing to deploy in this folder.");
  const { zip } = await import("fflate");
  const content: Record<string, [Uint8Array, { os: number; attrs: number; mtime: number }]> = {};
  let bytes = 0;
  for (const { path, file } of files) {
    const data = new Uint8Array(await file.arrayBuffer());
    bytes += data.length;
    // The browser does not tell which files may be run: those that begin with #! are meant to be.
    const mode = data[0] === 0x23 && data[1] === 0x21 ? 0o100755 : 0o100644;
    const year = new Date(file.lastModified).getFullYear();
    content[path] = [
      data,
      { os: 3, attrs: mode << 16, mtime: year < 1980 || year > 2099 ? Date.now() : file.lastModified },
    ];
  }
  const packed = await new Promise<Uint8Array>((resolve, reject) =>
    zip(content, { level: 6 }, (error, data) => (error ? reject(error) : resolve(data))),
  );
  const file = new Blob([packed as Uint8Array<ArrayBuffer>], { type: "application/zip" });
  return { file, name, files: files.length, bytes, skipped };
}

/** An archive is sent as it is. */
export const asArchive = (file: File): Collected => ({
  file,
  name: file.name,
  files: 0,
  bytes: file.size,
  skipped: [],
});

/** What was chosen in a file dialog: a folder, an archive, or some files. */
export async function fromInput(list: FileList): Promise<Collected> {
  const files = [...list];
  const [first] = files;
  if (files.length === 1 && first && !first.webkitRelativePath && isArchive(first.name)) return asArchive(first);
  const folder = first?.webkitRelativePath.split("/")[0] ?? "";
  return pack(
    folder || "files",
    files.map((file) => ({
      file,
      path: file.webkitRelativePath ? file.webkitRelativePath.slice(folder.length + 1) : file.name,
    })),
  );
}

/** What was dropped on the page: a folder, an archive, or some files. */
export async function fromDrop(transfer: DataTransfer): Promise<Collected> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const [first] = entries;
  if (!first) throw new Error("Drop a folder or an archive (.zip, .tar, .tar.gz).");
  if (entries.length === 1 && first.isFile && isArchive(first.name))
    return asArchive(await fileOf(first as FileSystemFileEntry));
  const alone = entries.length === 1 && first.isDirectory;
  const picked: Picked[] = [];
  for (const entry of alone ? await children(first as FileSystemDirectoryEntry) : entries)
    await walk(entry, "", picked);
  return pack(alone ? first.name : "files", picked);
}

async function walk(entry: FileSystemEntry, folder: string, into: Picked[]): Promise<void> {
  const path = folder + entry.name;
  if (entry.isFile) into.push({ path, file: await fileOf(entry as FileSystemFileEntry) });
  // A marker keeps what is said about it true without reading ten thousand files of it.
  else if (ALWAYS.has(entry.name)) into.push({ path, file: new File([], entry.name) });
  else for (const child of await children(entry as FileSystemDirectoryEntry)) await walk(child, `${path}/`, into);
}

const fileOf = (entry: FileSystemFileEntry) => new Promise<File>((resolve, reject) => entry.file(resolve, reject));

/** A directory hands out its entries a hundred at a time, until none. */
async function children(directory: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = directory.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
