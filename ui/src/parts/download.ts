/** Gives the person `content` as a file; binary content comes as a Blob. A browser gives plain text an ending. */
export function download(name: string, content: string | Blob): void {
  const type = name.includes(".") ? "text/plain" : "application/octet-stream";
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  URL.revokeObjectURL(url);
}
