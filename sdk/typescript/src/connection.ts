import { Backoff } from "./backoff.js";
import { asError, KalamError } from "./errors.js";
import type { LiveEvent, SubscribeOptions } from "./events.js";
import type { Credentials } from "./http.js";
import type { Settings, SocketLike } from "./options.js";
import { Subscription } from "./subscription.js";
import { parseCloseReason, type Frame } from "./wire.js";

/** How long an opening, and a connection without subscriptions, may take. */
const openTimeoutMs = 10_000;
const idleMs = 1_000;
/** How long the close event may take after the error event. */
const errorMs = 50;

/**
 * The one WebSocket of a client: open while there are subscriptions, opened again when it is
 * lost. Whoever listens to `onChange` learns of both.
 */
export class Connection {
  readonly backoff: Backoff;
  onChange: (connected: boolean, error?: KalamError) => void = () => undefined;

  private readonly subs = new Set<Subscription>();
  private readonly byID = new Map<string, Subscription>();
  private lastID = 0;
  private socket: SocketLike | undefined;
  private admitted = false; // subscriptions may be sent
  private opening = false;
  private failures = 0;
  private heard = 0;
  private token: string | undefined; // what the connection goes by
  private expired: string | undefined; // what the server called expired
  private readonly timers: Partial<Record<Timer, ReturnType<typeof setTimeout>>> = {};
  private closed = false;

  constructor(
    readonly settings: Settings,
    private readonly credentials: Credentials,
  ) {
    this.backoff = new Backoff(settings.minBackoffMs, settings.maxBackoffMs);
  }

  subscribe(
    sql: string, onEvent: (event: LiveEvent) => void, options: SubscribeOptions,
  ): Subscription {
    if (this.closed) throw new KalamError("CANCELLED", "the client was closed");
    if (!this.settings.WebSocket) {
      throw new KalamError("UNSUPPORTED",
        "this platform has no WebSocket; hand a class in with the option WebSocket");
    }
    const s = new Subscription(this, sql, onEvent, options);
    this.subs.add(s);
    this.look();
    return s;
  }

  /** Ends all subscriptions, and the connection. */
  close(error?: KalamError): void {
    this.closed = error === undefined;
    for (const s of [...this.subs]) s.end(error);
    this.disconnect();
  }

  /** Connects as another user: what was told of the first one's rows is no base any more. */
  restart(reason: string): void {
    this.disconnect();
    for (const s of [...this.subs]) s.restart(reason);
    this.look();
  }

  /** Does what is to be done: opens, subscribes, or closes what nobody needs. */
  look(): void {
    if (this.subs.size === 0) {
      this.cancel("reconnect");
      if (this.socket) this.after("idle", idleMs, () => this.subs.size === 0 && this.disconnect());
      return;
    }
    this.cancel("idle");
    if (!this.socket) {
      if (!this.opening && this.timers.reconnect === undefined) void this.open();
      return;
    }
    if (!this.admitted) return;
    const now = Date.now();
    let next = Infinity;
    for (const s of this.subs) {
      if (s.phase !== "idle") continue;
      if (s.notBefore > now) {
        next = Math.min(next, s.notBefore - now);
        continue;
      }
      const id = `s${++this.lastID}`;
      this.byID.set(id, s);
      this.send(s.open(id));
    }
    if (next < Infinity) this.after("retry", next, () => this.look());
  }

  send(message: object): void {
    try {
      this.socket?.send(JSON.stringify(message));
    } catch {
      // it is closing, which is told by its own event
    }
  }

  forget(s: Subscription): void {
    this.byID.delete(s.id);
  }

  remove(s: Subscription): void {
    this.subs.delete(s);
    this.look();
  }

  /** Calls code of the user: what it throws is reported as uncaught, and changes nothing here. */
  call(f: () => void): void {
    try {
      f();
    } catch (thrown) {
      queueMicrotask(() => {
        throw thrown;
      });
    }
  }

  private async open(): Promise<void> {
    this.opening = true;
    try {
      const token = await this.credentials.token(this.expired);
      this.expired = undefined;
      this.opening = false;
      if (this.subs.size > 0 && !this.socket) this.dial(token);
    } catch (thrown) {
      this.opening = false;
      this.lost(asError(thrown), asError(thrown).retryable);
    }
  }

  private dial(token: string | undefined): void {
    const socket = new this.settings.WebSocket!(this.settings.url.replace(/^http/, "ws") + "/v1/ws");
    this.socket = socket;
    this.token = token;
    const mine = (f: (event: any) => void) => (event: unknown): void => {
      if (this.socket === socket) f(event); // else it was given up
    };
    socket.onopen = mine(() => {
      this.heard = Date.now();
      if (token === undefined) this.admit();
      else this.send({ type: "authenticate", method: "jwt", token });
    });
    socket.onmessage = mine((event: { data: unknown }) => this.receive(event.data));
    // The close event follows and says more, but not on every platform.
    socket.onerror = mine(() => this.after("error", errorMs, () => {
      if (this.socket === socket) this.ended(new KalamError("UNREACHABLE", "the connection failed"), true);
    }));
    socket.onclose = mine((event: { code?: number; reason?: unknown }) => {
      const r = parseCloseReason(String(event.reason ?? ""));
      const code = r.code || (r.reconnect ? "UNREACHABLE" : "CANCELLED");
      this.ended(new KalamError(code, r.message || "the connection was lost"), r.reconnect);
    });
    this.after("open", openTimeoutMs, () => {
      if (!this.admitted) this.ended(new KalamError("UNREACHABLE", "the server does not answer"), true);
    });
  }

  private admit(): void {
    if (this.admitted) return;
    this.admitted = true;
    this.failures = 0;
    this.cancel("open");
    this.probe();
    this.call(() => this.onChange(true));
    this.look();
  }

  private receive(data: unknown): void {
    let f: Frame;
    try {
      f = JSON.parse(String(data)) as Frame;
    } catch {
      this.ended(new KalamError("UNREACHABLE", "the server sent what does not parse"), true);
      return;
    }
    this.heard = Date.now();
    if (f.subscription_id !== undefined) {
      this.byID.get(f.subscription_id)?.handle(f);
      return;
    }
    switch (f.type) {
      case "auth_success":
        this.admit();
        break;
      case "auth_expiring":
        void this.renew();
        break;
      case "auth_error":
      case "error": {
        const e = new KalamError(f.code ?? "INTERNAL", f.message ?? "");
        this.ended(e, e.retryable);
        break;
      }
    }
  }

  /** Replaces the token in place; the subscriptions stay. */
  private async renew(): Promise<void> {
    if (!this.credentials.renewable) return;
    const socket = this.socket;
    try {
      const token = await this.credentials.token(this.token);
      if (this.socket !== socket) return;
      this.token = token;
      this.send({ type: "authenticate", method: "jwt", token });
    } catch {
      // the server ends the connection, and opening another meets the same error
    }
  }

  /** Asks for a sign of life, and gives up a connection that gave none for two intervals. */
  private probe(): void {
    this.after("ping", this.settings.pingIntervalMs, () => {
      if (Date.now() - this.heard > 2 * this.settings.pingIntervalMs) {
        this.ended(new KalamError("UNREACHABLE", "the server is silent"), true);
        return;
      }
      this.send({ type: "ping" });
      this.probe();
    });
  }

  private ended(error: KalamError, reconnect: boolean): void {
    if (error.code === "TOKEN_EXPIRED" && this.credentials.renewable) {
      this.expired = this.token;
      reconnect = true;
    }
    this.disconnect();
    this.call(() => this.onChange(false, error));
    this.lost(error, reconnect);
  }

  private lost(error: KalamError, reconnect: boolean): void {
    if (!reconnect) {
      for (const s of [...this.subs]) s.end(error);
      return;
    }
    if (this.subs.size === 0) return;
    this.failures++;
    this.after("reconnect", this.backoff.after(this.failures), () => this.look());
  }

  /** Lets go of the socket; subscriptions become idle. */
  private disconnect(): void {
    const socket = this.socket;
    this.socket = undefined;
    this.admitted = false;
    for (const t of Object.keys(this.timers) as Timer[]) this.cancel(t);
    this.byID.clear();
    for (const s of this.subs) s.drop();
    if (!socket) return;
    socket.onerror = () => undefined; // what it tells now is of no interest
    try {
      socket.close(1000);
    } catch {
      // it was not open yet
    }
  }

  private after(timer: Timer, ms: number, f: () => void): void {
    this.cancel(timer);
    this.timers[timer] = setTimeout(() => {
      delete this.timers[timer];
      f();
    }, ms);
  }

  private cancel(timer: Timer): void {
    clearTimeout(this.timers[timer]);
    delete this.timers[timer];
  }
}

type Timer = "idle" | "reconnect" | "retry" | "open" | "ping" | "error";
