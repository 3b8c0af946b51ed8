import { KalamError } from "./errors.js";
import type { BigIntMode } from "./values.js";
import type { User } from "./wire.js";

/** The tokens of a login. Whoever holds them is the user. */
export interface Tokens {
  accessToken: string;
  refreshToken: string;
  expiresAt: Date;
  refreshExpiresAt: Date;
  user: User;
}

/** Who is asking. */
export type Auth =
  /** A login, made at the first request and renewed as needed. */
  | { user: string; password: string }
  /** An access token that can't be renewed. */
  | { token: string }
  /** The tokens of an earlier login. */
  | { tokens: Tokens }
  /**
   * Tokens from elsewhere, as an identity provider: one to use now, and another
   * one when the server calls `expired` expired.
   */
  | { getToken: (expired?: string) => string | Promise<string> };

/** What the client needs of a WebSocket. That of browsers, of Node 22 and of `ws` fit. */
export interface SocketLike {
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketClass = new (url: string) => SocketLike;

export interface ClientOptions {
  /** The server's address, as "http://localhost:8080". */
  url: string;
  auth?: Auth;
  /** The namespace of names that name none, in requests. */
  namespace?: string;
  /** The user to act for in requests, if the caller's role allows it. */
  as?: string;
  /** How BIGINT comes; default "string". */
  bigint?: BigIntMode;
  /** Called after each login and renewal, to keep the tokens; undefined after logout. */
  onTokens?: (tokens: Tokens | undefined) => void;

  /** How often one request is sent; default 4, 1 means never again. */
  maxAttempts?: number;
  /** Bounds of the wait between attempts and between connections; default 100 and 10000. */
  minBackoffMs?: number;
  maxBackoffMs?: number;
  /** How often an open WebSocket is probed; silent for two of them it is given up. Default 20000. */
  pingIntervalMs?: number;
  /** A WebSocket class where the platform has none, as Node 20. */
  WebSocket?: SocketClass;
  /** Used in place of the platform's fetch. */
  fetch?: typeof fetch;
}

export interface Settings {
  url: string;
  namespace: string | undefined;
  as: string | undefined;
  bigint: BigIntMode;
  onTokens: (tokens: Tokens | undefined) => void;
  maxAttempts: number;
  minBackoffMs: number;
  maxBackoffMs: number;
  pingIntervalMs: number;
  WebSocket: SocketClass | undefined;
  fetch: typeof fetch;
}

export function settle(o: ClientOptions): Settings {
  let url: URL;
  try {
    url = new URL(o.url);
  } catch (cause) {
    throw new KalamError("INVALID_PARAMETER", badURL(o.url), { cause });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new KalamError("INVALID_PARAMETER", badURL(o.url));
  }
  return {
    url: url.href.replace(/\/+$/, ""),
    namespace: o.namespace,
    as: o.as,
    bigint: o.bigint ?? "string",
    onTokens: o.onTokens ?? (() => undefined),
    maxAttempts: Math.max(1, o.maxAttempts ?? 4),
    minBackoffMs: o.minBackoffMs ?? 100,
    maxBackoffMs: Math.max(o.maxBackoffMs ?? 10_000, o.minBackoffMs ?? 100),
    pingIntervalMs: o.pingIntervalMs ?? 20_000,
    WebSocket: o.WebSocket ?? (globalThis.WebSocket as unknown as SocketClass | undefined),
    fetch: o.fetch ?? ((input, init) => globalThis.fetch(input, init)),
  };
}

function badURL(url: string): string {
  return `"${url}" is not the address of a server; write it like http://localhost:8080`;
}
