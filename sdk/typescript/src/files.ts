import { KalamError } from "./errors.js";
import type { Http } from "./http.js";

export interface FileInfo {
  path: string;
  size: number;
  /** The hash of the content. */
  etag: string;
  contentType: string;
}

/** The files of the user in one namespace. */
export class Files {
  constructor(
    private readonly http: Http,
    private readonly namespace: string,
  ) {}

  /** Stores a file, in place of one of that path. */
  async put(path: string, content: Blob | ArrayBuffer | Uint8Array | string,
      contentType = "application/octet-stream"): Promise<FileInfo> {
    const body = content instanceof Uint8Array ? (content as BodyInit) : content;
    return this.http.send({
      method: "PUT", path: this.path(path), body, repeatable: true,
      headers: { "Content-Type": contentType },
    }, (r) => ({ path, size: sizeOf(content), etag: r.headers.get("ETag") ?? "", contentType }));
  }

  /** Opens a file, or the part from `start` to before `end`, in bytes. */
  async get(path: string, range?: { start: number; end?: number }): Promise<Response> {
    const headers: Record<string, string> = { Accept: "*/*" };
    if (range) {
      if (range.end !== undefined && range.end <= range.start) {
        throw new KalamError("INVALID_PARAMETER", "a range ends behind its start");
      }
      const last = range.end === undefined ? "" : range.end - 1;
      headers["Range"] = `bytes=${range.start}-${last}`;
    }
    return this.http.send({ method: "GET", path: this.path(path), headers, repeatable: true },
      (r) => r);
  }

  /** Tells of a file without its content. */
  async head(path: string): Promise<FileInfo> {
    return this.http.send({ method: "HEAD", path: this.path(path), repeatable: true }, (r) => ({
      path,
      size: Number(r.headers.get("Content-Length") ?? 0),
      etag: r.headers.get("ETag") ?? "",
      contentType: r.headers.get("Content-Type") ?? "",
    }));
  }

  async delete(path: string): Promise<void> {
    await this.http.send({ method: "DELETE", path: this.path(path), repeatable: true },
      () => undefined);
  }

  /** Lists the files whose path begins with the prefix. */
  async list(prefix = ""): Promise<FileInfo[]> {
    const query = prefix ? `?prefix=${encodeURIComponent(prefix)}` : "";
    const answer = await this.http.json<{ files?: Record<string, unknown>[] }>({
      method: "GET", path: `/v1/files/${encodeURIComponent(this.namespace)}${query}`,
      repeatable: true,
    });
    return (answer.files ?? []).map((f) => ({
      path: String(f["path"] ?? ""),
      size: Number(f["size"] ?? 0),
      etag: String(f["etag"] ?? ""),
      contentType: String(f["content_type"] ?? ""),
    }));
  }

  private path(path: string): string {
    const parts = path.split("/");
    if (path === "" || parts.some((p) => p === "" || p === "." || p === "..")) {
      throw new KalamError("INVALID_PARAMETER",
        `"${path}" is not the path of a file; write it like folder/name.txt`);
    }
    return ["/v1/files", this.namespace, ...parts]
      .map((p, i) => (i === 0 ? p : encodeURIComponent(p))).join("/");
  }
}

function sizeOf(content: Blob | ArrayBuffer | Uint8Array | string): number {
  if (typeof content === "string") return new TextEncoder().encode(content).length;
  return content instanceof Blob ? content.size : content.byteLength;
}
