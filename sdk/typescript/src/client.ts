import { Login } from "./auth.js";
import { Connection } from "./connection.js";
import { KalamError } from "./errors.js";
import type { LiveEvent, SubscribeOptions } from "./events.js";
import { Files } from "./files.js";
import { Http } from "./http.js";
import { Live, type LiveOptions, type OnRows, type Stop } from "./live.js";
import { settle, type ClientOptions, type Settings } from "./options.js";
import type { Subscription } from "./subscription.js";
import { encodeParam, rowReader, type Param, type Row } from "./values.js";
import type { Column, User, WireAnswer, WireResult } from "./wire.js";

export interface QueryOptions {
  namespace?: string;
  /** The user to act for. */
  as?: string;
  /**
   * Names the request: a server applies a write of one id once, for 24 hours. The default is a
   * fresh one, under which the client itself repeats a request that got no answer.
   */
  requestId?: string;
  /** Makes a read see the writes whose `seq` this is. */
  minSeq?: string;
  signal?: AbortSignal;
}

/** What a statement gave. */
export interface Result<T = Row> {
  rows: T[];
  columns: Column[];
  /** Rows returned, or rows changed. */
  rowCount: number;
  /** What a statement without rows says. */
  message: string;
  /** Of a write, for `minSeq`. */
  seq: string;
}

/** Talks to one server as one user. */
export class Client {
  private readonly settings: Settings;
  private readonly auth: Login;
  private readonly http: Http;
  private readonly connection: Connection;
  private user: string | undefined;

  constructor(options: ClientOptions) {
    this.settings = settle(options);
    this.auth = new Login(this.settings, options.auth);
    this.http = new Http(this.settings, this.auth);
    this.connection = new Connection(this.settings, this.auth);
    if (options.auth && "user" in options.auth) this.user = options.auth.user;
    if (options.auth && "tokens" in options.auth) this.user = options.auth.tokens.user.id;
  }

  /** Runs one statement. `params` fill $1 or ?. */
  async query<T = Row>(sql: string, params: Param[] = [], o: QueryOptions = {}): Promise<Result<T>> {
    const results = await this.exec<T>(sql, params, o);
    if (results.length !== 1) {
      throw new KalamError("INVALID_PARAMETER",
        `the text gave ${results.length} results where one was expected; use exec`);
    }
    return results[0]!;
  }

  /** Runs one or more statements, and returns what each gave. */
  async exec<T = Row>(sql: string, params: Param[] = [], o: QueryOptions = {}): Promise<Result<T>[]> {
    const headers: Record<string, string> = {};
    if (o.as !== undefined) headers["X-USER-ID"] = o.as;
    if (o.minSeq) headers["X-Min-Seq"] = o.minSeq;
    const namespace = o.namespace ?? this.settings.namespace;
    const answer = await this.http.json<WireAnswer>({
      method: "POST", path: "/v1/api/sql", headers, repeatable: true, signal: o.signal,
      json: {
        sql,
        request_id: o.requestId ?? newID(),
        ...(params.length > 0 ? { params: params.map(encodeParam) } : {}),
        ...(namespace === undefined ? {} : { namespace_id: namespace }),
      },
    });
    return answer.results.map((r) => this.result<T>(r));
  }

  /**
   * Follows a query and calls `onRows` with its whole result: first as it is, then after commits
   * that changed it. Returns what ends it, and shows more rows of a window.
   */
  live<T = Row>(sql: string, onRows: OnRows<T>, options: LiveOptions = {}): Stop {
    const live = new Live(this.connection, sql, onRows as OnRows<Row>, options);
    return Object.assign(() => live.stop(), {
      loadOlder: (rows: number) => live.loadOlder(rows),
    });
  }

  /** Follows a query event by event: a snapshot, then changes in the order of commits. */
  subscribe(
    sql: string, onEvent: (event: LiveEvent) => void, options: SubscribeOptions = {},
  ): Subscription {
    return this.connection.subscribe(sql, onEvent, options);
  }

  /** The user's files in a namespace; that of the options by default. */
  files(namespace = this.settings.namespace): Files {
    if (namespace === undefined) {
      throw new KalamError("INVALID_PARAMETER", "name the namespace of the files");
    }
    return new Files(this.http, namespace);
  }

  /** Logs in. As another user than before, live queries begin again with that one's rows. */
  async login(user: string, password: string): Promise<User> {
    const u = await this.auth.login(user, password);
    if (this.user !== undefined && this.user !== u.id) this.connection.restart("user_changed");
    this.user = u.id;
    return u;
  }

  /** Renews the login now; it is also renewed by itself. */
  async refresh(): Promise<User> {
    return this.auth.refresh();
  }

  /** Ends the login and all live queries. */
  async logout(): Promise<void> {
    this.user = undefined;
    this.connection.close(new KalamError("AUTH_REQUIRED", "logged out"));
    await this.auth.logout();
  }

  /** Returns who the server takes the client for. */
  async me(): Promise<User> {
    return this.http.json<User>({ method: "GET", path: "/v1/api/auth/me", repeatable: true });
  }

  /** Asks whether the server serves statements. */
  async health(): Promise<{ status: string; version: string }> {
    return this.http.json({
      method: "GET", path: "/v1/api/healthcheck", anonymous: true, repeatable: true,
    });
  }

  /** Calls `listener` when the WebSocket is open and when it is lost. */
  onConnection(listener: (connected: boolean, error?: KalamError) => void): void {
    this.connection.onChange = listener;
  }

  /** Ends all live queries and the connection. */
  close(): void {
    this.connection.close();
  }

  private result<T>(r: WireResult): Result<T> {
    const read = rowReader(r.schema, this.settings.bigint);
    return {
      rows: r.rows.map(read) as T[],
      columns: r.schema,
      rowCount: r.row_count,
      message: r.message ?? "",
      seq: r.seq ?? "",
    };
  }
}

/** Makes a client. It does no I/O: the first request logs in. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}

/** Returns 128 random bits as text; randomUUID is missing on pages without TLS. */
function newID(): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
