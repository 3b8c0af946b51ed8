import { Backoff, sleep } from "./backoff.js";
import { KalamError } from "./errors.js";
import type { Settings } from "./options.js";
import type { WireError } from "./wire.js";

/** What gives credentials to requests. */
export interface Credentials {
  /** Returns an access token that is not the expired one; undefined without credentials. */
  token(expired?: string): Promise<string | undefined>;
  readonly renewable: boolean;
}

export interface Call {
  method: string;
  path: string;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: BodyInit | undefined;
  headers?: Record<string, string>;
  anonymous?: boolean;
  /** Sending it twice does no harm. */
  repeatable?: boolean;
  signal?: AbortSignal | undefined;
}

/** Sends requests, again where that is safe. */
export class Http {
  private readonly backoff: Backoff;

  constructor(
    private readonly settings: Settings,
    private readonly credentials: Credentials,
  ) {
    this.backoff = new Backoff(settings.minBackoffMs, settings.maxBackoffMs);
  }

  /** Returns what `read` makes of an answer with a status below 400, or rejects with a KalamError. */
  async send<T>(call: Call, read: (response: Response) => T | Promise<T>): Promise<T> {
    let expired: string | undefined;
    for (let attempt = 1; ; attempt++) {
      const token = call.anonymous ? undefined : await this.credentials.token(expired);
      let failure: KalamError;
      let wait = 0;
      try {
        const response = await this.once(call, token);
        if (response.status < 400) return await read(response);
        failure = await errorOf(response);
        wait = retryAfter(response);
      } catch (thrown) {
        if (call.signal?.aborted) throw thrown;
        failure = thrown instanceof KalamError ? thrown : unreachable(this.settings.url, thrown);
      }
      if (failure.code === "TOKEN_EXPIRED" && token && expired === undefined &&
          this.credentials.renewable) {
        expired = token;
        continue;
      }
      if (attempt >= this.settings.maxAttempts || !call.repeatable || !worthRetry(failure) ||
          wait > this.settings.maxBackoffMs) {
        throw failure;
      }
      await sleep(Math.max(wait, this.backoff.after(attempt)), call.signal);
    }
  }

  /** Returns the answer's JSON. */
  json<T>(call: Call): Promise<T> {
    return this.send(call, async (response) => {
      const text = await response.text();
      try {
        return JSON.parse(text) as T;
      } catch (cause) {
        throw new KalamError("INTERNAL",
          "the answer is not what a KalamDB server sends; is the address right?", { cause });
      }
    });
  }

  private once(call: Call, token: string | undefined): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...call.headers };
    if (token) headers["Authorization"] = `Bearer ${token}`;
    if (!call.anonymous && this.settings.as !== undefined && !headers["X-USER-ID"]) {
      headers["X-USER-ID"] = this.settings.as;
    }
    const init: RequestInit = { method: call.method, headers };
    if (call.json !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(call.json);
    } else if (call.body !== undefined) init.body = call.body;
    if (call.signal) init.signal = call.signal;
    return this.settings.fetch(this.settings.url + call.path, init);
  }
}

/** What took too long would do so again, and a locked account stays locked for minutes. */
function worthRetry(e: KalamError): boolean {
  return e.retryable &&
    !["STATEMENT_TIMEOUT", "CANCELLED", "ACCOUNT_LOCKED"].includes(e.code);
}

export function unreachable(url: string, cause: unknown): KalamError {
  return new KalamError("UNREACHABLE",
    `cannot connect to ${url}; is the server running, and is the address right?`, { cause });
}

async function errorOf(response: Response): Promise<KalamError> {
  const text = await response.text();
  try {
    const e = (JSON.parse(text) as { error?: WireError }).error;
    if (e) return new KalamError(e.code, e.message, e);
  } catch {
    // not ours: a proxy's
  }
  return new KalamError(foreignCode(response.status),
    `HTTP status ${response.status}: ${text.slice(0, 200)}`);
}

function foreignCode(status: number): string {
  switch (status) {
    case 401: return "INVALID_CREDENTIALS";
    case 403: return "PERMISSION_DENIED";
    case 404: return "NOT_FOUND";
    case 413: return "PAYLOAD_TOO_LARGE";
    case 429: return "RATE_LIMIT_EXCEEDED";
    case 502: case 503: case 504: return "FORWARD_FAILED";
  }
  return "INTERNAL";
}

function retryAfter(response: Response): number {
  const v = response.headers.get("Retry-After");
  if (v === null) return 0;
  if (/^\d+$/.test(v)) return Number(v) * 1000;
  const at = Date.parse(v);
  return Number.isNaN(at) ? 0 : Math.max(0, at - Date.now());
}
