import type { Connection } from "./connection.js";
import { KalamError } from "./errors.js";
import type { Change, LiveEvent, SubscribeOptions } from "./events.js";
import { decoder, type Row, type Value } from "./values.js";
import type { Column, Frame, Json, WireRow } from "./wire.js";

/** The changes of one commit that are held back until it is whole, at most. */
const maxCommit = 1 << 20;

/**
 * A live query. It survives lost connections: it resumes behind the last commit that was told,
 * so that no event is lost or told twice.
 */
export class Subscription {
  /** @internal idle: to be sent when notBefore has passed; active: sent on this connection. */
  phase: "idle" | "active" | "ended" = "idle";
  /** @internal */
  id = "";
  /** @internal */
  notBefore = 0;

  private failures = 0;
  private schema: Column[] = [];
  private version = -1;
  private decoders = new Map<string, (v: Json) => Value>();
  private pending: Change[] = [];
  private position: string | undefined;
  private ready = false; // the snapshot is whole, so the cursor counts
  private told = false; // a ready snapshot was told
  private begun = false; // a part of one was told
  private grown = 0; // rows that were asked for behind a window
  private asked = false; // load_older was sent and not answered

  /** @internal */
  constructor(
    private readonly connection: Connection,
    readonly sql: string,
    private readonly onEvent: (event: LiveEvent) => void,
    private readonly options: SubscribeOptions,
  ) {
    this.position = options.from;
  }

  /** Where another subscription resumes; undefined before the first whole snapshot. */
  get cursor(): string | undefined {
    return this.position;
  }

  get closed(): boolean {
    return this.phase === "ended";
  }

  /**
   * Asks for rows that stand behind those of a query with ORDER BY and LIMIT, which is followed
   * over them from then on. The answer is an `older` event; several requests may have one answer.
   * When the connection is lost, the window is asked for again as it was.
   */
  loadOlder(rows: number): void {
    if (!Number.isInteger(rows) || rows < 1) {
      throw new KalamError("INVALID_PARAMETER", "the number of rows must be positive");
    }
    if (this.phase === "ended") throw new KalamError("CANCELLED", "the query has ended");
    this.grown += rows;
    if (this.phase === "active" && this.ready && this.told) this.ask(rows);
  }

  /** Ends the query. Nothing is told afterwards. */
  close(): void {
    this.end(undefined);
  }

  /** @internal Drops what is known: a resync is told and a new snapshot follows. */
  restart(reason: string): void {
    if (this.phase === "ended") return;
    this.leave();
    this.begin(reason);
    this.connection.look();
  }

  /** @internal Returns the message that subscribes under an id. */
  open(id: string): object {
    const o: Record<string, Json> = {};
    if (this.options.policy !== undefined) o["policy"] = this.options.policy;
    if (this.options.batchSize !== undefined) o["batch_size"] = this.options.batchSize;
    if (this.grown > 0) this.position = undefined; // no base of a window that begins small again
    this.ready = this.position !== undefined;
    if (this.position !== undefined) o["from"] = this.position;
    else if (this.options.lastRows !== undefined) o["last_rows"] = this.options.lastRows;
    if (this.position === undefined && this.begun) this.begin("reconnected");
    this.phase = "active";
    this.id = id;
    return { type: "subscribe", subscription: { id, sql: this.sql, options: o } };
  }

  /** @internal Forgets the connection's part. */
  drop(): void {
    if (this.phase !== "active") return;
    this.phase = "idle";
    this.id = "";
    this.pending = [];
    this.asked = false;
  }

  /** @internal */
  end(error: KalamError | undefined): void {
    if (this.phase === "ended") return;
    this.leave();
    this.phase = "ended";
    this.connection.remove(this);
    if (error) this.connection.call(() => this.options.onError?.(error));
  }

  /** @internal Takes a message of the server about this subscription. */
  handle(f: Frame): void {
    switch (f.type) {
      case "subscription_ack":
        this.failures = 0;
        this.adopt(f);
        break;
      case "schema":
        this.adopt(f);
        break;
      case "initial_data_batch":
        this.batch(f);
        break;
      case "change":
        this.change(f);
        break;
      case "progress":
        if (this.ready && this.pending.length === 0 && later(f.seq, this.position)) {
          this.position = f.seq;
        }
        break;
      case "resync":
        this.begin(f.reason ?? "");
        break;
      case "unsubscribed":
        this.refused(endCode(f.reason), `the server ended the query: ${f.reason ?? ""}`);
        break;
      case "error":
        this.refused(f.code ?? "INTERNAL", f.message ?? "");
        break;
    }
  }

  private leave(): void {
    if (this.phase === "active") {
      this.connection.send({ type: "unsubscribe", subscription_id: this.id });
    }
    this.connection.forget(this);
    this.drop();
  }

  private begin(reason: string): void {
    this.position = undefined;
    this.ready = this.told = this.begun = this.asked = false;
    this.pending = [];
    this.tell({ type: "resync", reason });
  }

  private ask(rows: number): void {
    this.asked = true;
    this.connection.send({ type: "load_older", subscription_id: this.id, count: rows });
  }

  private tell(event: LiveEvent): void {
    this.connection.call(() => {
      if (this.phase !== "ended") this.onEvent(event);
    });
  }

  private adopt(f: Frame): void {
    const changed = this.version >= 0 && f.schema_version !== this.version;
    this.version = f.schema_version ?? 0;
    this.schema = f.schema ?? [];
    this.decoders.clear();
    for (const c of this.schema) {
      const d = decoder(c, this.connection.settings.bigint);
      if (d) this.decoders.set(c.name, d);
    }
    if (changed) {
      this.pending = []; // a commit that had begun is told again
      this.tell({ type: "schema", schema: this.schema });
    }
  }

  private rows(rows: WireRow[] | undefined): Row[] {
    if (!rows) return [];
    if (this.decoders.size === 0) return rows;
    return rows.map((r) => {
      const row: Row = { ...r };
      for (const [name, decode] of this.decoders) {
        if (name in r) row[name] = decode(r[name]!);
      }
      return row;
    });
  }

  private batch(f: Frame): void {
    const done = f.batch_control?.status === "ready";
    const last = f.batch_control?.last_seq_id;
    const rows = this.rows(f.rows);
    if (this.told && this.asked) {
      this.asked = false;
      const more = f.batch_control?.has_more === true;
      this.tell({ type: "older", rows, more, schema: this.schema });
      return;
    }
    if (this.ready && rows.length === 0 && this.told) return; // resumed
    if (done && !this.ready) {
      this.ready = true;
      this.position = last;
    }
    this.begun = true;
    this.told ||= done;
    const grows = done && this.grown > 0;
    if (grows) this.ask(this.grown);
    this.tell({ type: "snapshot", rows, ready: done, grows, schema: this.schema });
    if (!done && this.phase === "active") {
      this.connection.send({
        type: "next_batch", subscription_id: this.id,
        ...(last === undefined ? {} : { last_seq_id: last }),
      });
    }
  }

  private change(f: Frame): void {
    const seq = f.seq ?? "0";
    if (this.position !== undefined && !later(seq, this.position)) return; // known already
    if (this.pending.length >= maxCommit) {
      this.end(new KalamError("RESULT_TOO_LARGE",
        `a commit has more than ${maxCommit} changes; subscribe to less with WHERE`));
      return;
    }
    this.pending.push({
      type: f.change_type ?? "update",
      ...(f.reason === "enter" || f.reason === "leave" ? { reason: f.reason } : {}),
      rows: this.rows(f.rows), old: this.rows(f.old_values), seq, commit: f.commit === true,
      ...(f.position === undefined ? {} : { position: f.position }),
      ...(f.append === undefined ? {} : { append: f.append }),
      schema: this.schema,
    });
    if (!f.commit) return;
    const commit = this.pending;
    this.pending = [];
    for (const e of commit) {
      if (e.commit && this.ready) this.position = seq;
      this.tell(e);
    }
  }

  private retry(): void {
    this.failures++;
    this.notBefore = Date.now() + this.connection.backoff.after(this.failures);
  }

  /** Decides after an error whether to try again. */
  private refused(code: string, message: string): void {
    const error = new KalamError(code, message);
    if (this.asked && ["INVALID_PARAMETER", "LIVE_UNSUPPORTED_QUERY", "UNSUPPORTED"].includes(code)) {
      this.asked = false; // the query itself goes on
      this.grown = 0;
      this.tell({ type: "older", rows: [], more: false, error, schema: this.schema });
      return;
    }
    this.connection.forget(this);
    this.drop();
    if (code === "CURSOR_TOO_OLD" && this.position !== undefined) {
      this.begin(code);
    } else if (code === "SUBSCRIPTION_LIMIT" && this.version >= 0) {
      // The server may not know yet that the connection before is gone.
      this.retry();
    } else if (error.retryable && !(code === "SLOW_CONSUMER" && this.options.policy === "disconnect")) {
      this.retry();
    } else {
      this.end(error);
    }
    this.connection.look();
  }
}

/** Reports whether seq a, of decimal digits, is behind b. */
function later(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined) return false;
  if (b === undefined) return true;
  return a.length === b.length ? a > b : a.length > b.length;
}

function endCode(reason: string | undefined): string {
  switch (reason) {
    case "shutting_down": return "SHUTTING_DOWN";
    case "slow_consumer": return "SLOW_CONSUMER";
    case "access_revoked": return "PERMISSION_DENIED";
    case "table_dropped": return "TABLE_NOT_FOUND";
  }
  return "CANCELLED"; // killed, or a reason of a newer server: it stays ended
}
