/** What the portal answered when it did not do what was asked; `message` is a sentence for a person. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(message);
  }

  /** Problems by field, as the server names them (`variables.PORT` included). */
  get fields(): Record<string, string> {
    const details = this.body.details;
    const fields = details && typeof details === "object" && "fields" in details ? details.fields : this.body.fields;
    if (Array.isArray(fields)) {
      const named = fields.filter((f) => f && typeof f === "object" && ("field" in f || "path" in f));
      return Object.fromEntries(named.map((f) => [String(f.field ?? f.path), String(f.message ?? f.reason ?? "")]));
    }
    return fields && typeof fields === "object" ? (fields as Record<string, string>) : {};
  }
}

type Query = Record<string, string | number | boolean | null | undefined>;

interface Options {
  query?: Query;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** `path` with its query; empty values are left out. */
export function withQuery(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  return search.size ? `${path}?${search}` : path;
}

async function problemOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  let body: Record<string, unknown> = {};
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return new ApiError(response.status, "unreadable", `The portal answered ${response.status} without a reason.`);
  }
  // The relay's paths wrap what they say: {ok, error: {code, message}}.
  const said = body.error && typeof body.error === "object" ? (body.error as Record<string, unknown>) : body;
  const sentence = typeof said.message === "string" ? said.message : said.error;
  return new ApiError(response.status, String(said.code ?? ""), String(sentence ?? `Error ${response.status}`), body);
}

/** Calls the portal's API and gives its JSON (undefined for an empty answer). Raises ApiError. */
export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const raw = options.body instanceof Blob;
  let response: Response;
  try {
    response = await fetch(withQuery(path, options.query), {
      method,
      signal: options.signal,
      credentials: "same-origin",
      headers: {
        Accept: "application/json",
        ...(options.body === undefined || raw ? {} : { "Content-Type": "application/json" }),
        ...options.headers,
      },
      body: options.body === undefined ? undefined : raw ? (options.body as Blob) : JSON.stringify(options.body),
    });
  } catch (reason) {
    if (reason instanceof DOMException && reason.name === "AbortError") throw reason;
    throw new ApiError(0, "unreachable", "The portal does not answer. Is it running, and is the network up?");
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** Sends `file` and reports how much has left (0 to 1); fetch cannot tell that, so this is an XMLHttpRequest. */
export function upload<T>(path: string, file: Blob, onProgress: (part: number) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () =>
      reject(new ApiError(0, "unreachable", "The upload was cut off. Check the connection and try again."));
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText) as T);
      else problemOf(new Response(request.responseText, { status: request.status })).then(reject);
    };
    request.send(file);
  });
}

/** The address of a WebSocket beside this page. */
export function socketUrl(path: string, query: Query = {}): string {
  return `${location.origin.replace(/^http/, "ws")}${withQuery(path, query)}`;
}
