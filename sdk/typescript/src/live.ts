import type { Connection } from "./connection.js";
import { asError, KalamError } from "./errors.js";
import type { Change, LiveEvent, Older, SubscribeOptions } from "./events.js";
import { Inconsistent, Rowset } from "./rowset.js";
import type { Subscription } from "./subscription.js";
import type { Row } from "./values.js";
import type { Column } from "./wire.js";

/** How often a result is read anew, with no commit in between, before it is given up. */
const maxRestarts = 3;

export interface LiveOptions extends Omit<SubscribeOptions, "from"> {
  /**
   * The columns that tell rows apart. The default is the primary key, which the query must
   * select, or the whole row where a query has none, as with aggregates.
   */
  key?: string[];
}

/** What comes beside the rows. */
export interface LiveState {
  columns: Column[];
  /** Grows with each commit that changed the result. */
  version: number;
  cursor: string | undefined;
}

/** Ends a live query when it is called. */
export interface Stop {
  (): void;
  /**
   * Has a query with ORDER BY and LIMIT show more rows: those that stand behind the ones it has,
   * which are kept current like them. Tells whether there are others.
   */
  loadOlder(rows: number): Promise<boolean>;
}

export type OnRows<T> = (rows: T[], state: LiveState) => void;

/**
 * Keeps the result of a live query and tells it when it is first whole and after commits that
 * changed it: those that come at once are told at once. While a new snapshot is read after a
 * resync, the result stays as it was.
 */
export class Live {
  private readonly sub: Subscription;
  private result: Rowset | undefined;
  private loading: Rowset | undefined;
  private grows = false; // loading is whole but for the rows behind its window
  private waiting: { resolve: (more: boolean) => void; reject: (e: KalamError) => void }[] = [];
  private columns: Column[] = [];
  private commit: Change[] = [];
  private skip = false; // what comes before the next resync is of no use
  private restarts = 0;
  private version = 0;
  private due: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  constructor(
    private readonly connection: Connection,
    sql: string,
    private readonly onRows: OnRows<Row>,
    private readonly options: LiveOptions,
  ) {
    this.sub = connection.subscribe(sql, (e) => this.take(e), {
      ...options,
      onError: (e) => this.fail(e),
    });
  }

  stop(): void {
    this.end(new KalamError("CANCELLED", "the live query was ended"));
  }

  loadOlder(rows: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.sub.loadOlder(rows); // what it throws rejects
      this.waiting.push({ resolve, reject });
    });
  }

  private end(e: KalamError): void {
    this.stopped = true;
    clearTimeout(this.due);
    this.sub.close();
    for (const w of this.waiting.splice(0)) w.reject(e);
  }

  private fail(e: KalamError): void {
    this.end(e);
    if (this.options.onError) this.options.onError(e);
    else throw e; // reported as uncaught: nobody else would hear of it
  }

  private take(e: LiveEvent): void {
    try {
      this.event(e);
    } catch (thrown) {
      if (!(thrown instanceof Inconsistent)) return this.fail(asError(thrown));
      if (++this.restarts > maxRestarts) {
        return this.fail(new KalamError("INTERNAL",
          `the changes of the query do not fit its result: ${thrown.message}`));
      }
      this.skip = true;
      this.sub.restart("inconsistent");
    }
  }

  private event(e: LiveEvent): void {
    switch (e.type) {
      case "resync":
        this.loading = undefined;
        this.grows = false;
        this.commit = [];
        this.skip = false;
        return;
      case "schema":
        this.commit = [];
        return;
      case "snapshot":
        if (this.skip) return;
        this.loading ??= new Rowset(this.options.key, this.options.policy === "conflate");
        this.loading.load(e);
        this.grows = e.grows;
        if (e.ready && !e.grows) this.show(e.schema);
        return;
      case "older":
        if (!this.skip) this.older(e);
        return;
    }
    if (this.skip) return;
    if (this.grows) this.show(e.schema); // the change is one of the window as it is
    this.commit.push(e);
    if (!e.commit) return;
    const commit = this.commit;
    this.commit = [];
    if (!this.result) throw new Inconsistent("a change before the snapshot");
    this.result.apply(commit);
    this.restarts = 0;
    this.publish(e.schema);
  }

  /** Makes the snapshot that has arrived the result. */
  private show(columns: Column[]): void {
    this.result = this.loading;
    this.loading = undefined;
    this.grows = false;
    this.publish(columns);
  }

  /** Puts rows behind those that are there. */
  private older(e: Older): void {
    const to = this.grows ? this.loading : this.result;
    if (!e.error) {
      if (!to) throw new Inconsistent("older rows before the snapshot");
      to.extendBy(e);
    }
    if (this.grows) this.show(e.schema);
    else if (!e.error) this.publish(e.schema);
    for (const w of this.waiting.splice(0)) {
      if (e.error) w.reject(e.error);
      else w.resolve(e.more);
    }
  }

  private publish(columns: Column[]): void {
    this.columns = columns;
    this.version++;
    this.due ??= setTimeout(() => {
      this.due = undefined;
      if (this.stopped || !this.result) return;
      const state = { columns: this.columns, version: this.version, cursor: this.sub.cursor };
      this.connection.call(() => this.onRows(this.result!.rows(), state));
    }, 0);
  }
}
