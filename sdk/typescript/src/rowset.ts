import type { Change, Older, Snapshot } from "./events.js";
import { KalamError } from "./errors.js";
import { keyOrder, utf8Length, type Row, type Value } from "./values.js";
import type { Append, Column } from "./wire.js";

/** Thrown when a change does not fit the rows: the result has to be read anew. */
export class Inconsistent extends Error {}

interface Keyed {
  /** Equal for rows of one key. */
  id: string;
  key: Value[];
  row: Row;
}

/**
 * The result of a live query, put together from its events.
 *
 * Rows are told apart by their key: the columns that were named, else those that the schema
 * marks as primary key, else the whole row. They stand in the order of the snapshot. When that
 * is the order of the key, an inserted row goes to its place in it; where a change names a
 * position, that counts; otherwise a new row goes to the end.
 */
export class Rowset {
  private list: Keyed[] = [];
  private sorted = false;
  private order: (a: Value[], b: Value[]) => number = () => 0;

  /** `merged` says that changes may have been merged on their way, as by policy conflate. */
  constructor(
    private readonly named: string[] | undefined,
    private readonly merged: boolean,
  ) {}

  rows(): Row[] {
    return this.list.map((k) => k.row);
  }

  /** Adds a batch of the snapshot. */
  load(e: Snapshot): void {
    for (const row of e.rows) this.list.push(this.keyed(e.schema, row));
    if (e.ready) this.seal(e.schema);
  }

  /** Puts rows behind a window, or none of them. */
  extendBy(e: Older): void {
    const before = { list: this.list, sorted: this.sorted };
    this.list = [...this.list, ...e.rows.map((row) => this.keyed(e.schema, row))];
    try {
      this.seal(e.schema);
    } catch {
      Object.assign(this, before);
      throw new Inconsistent("older rows that are there");
    }
  }

  /** Applies the changes of a commit, or none of them. */
  apply(commit: Change[]): void {
    const before = { list: this.list, sorted: this.sorted };
    if (commit.length > 1 || Math.max(commit[0]?.rows.length ?? 0, commit[0]?.old.length ?? 0) > 1) {
      this.list = this.list.slice(); // one change that fails changes nothing, several may
    }
    try {
      for (const e of commit) this.change(e);
    } catch (thrown) {
      Object.assign(this, before);
      throw thrown;
    }
  }

  private seal(schema: Column[]): void {
    const columns = this.columns(schema);
    if (columns.length === 0) return;
    const types = new Map(schema.map((c) => [c.name, c.data_type]));
    const orders = columns.map((c) => keyOrder(types.get(c)));
    this.order = (a, b) => {
      for (let i = 0; i < orders.length; i++) {
        const n = orders[i]!(a[i] ?? null, b[i] ?? null);
        if (n !== 0) return n;
      }
      return 0;
    };
    this.sorted = this.list.every((k, i) => i === 0 || this.order(this.list[i - 1]!.key, k.key) < 0);
    if (!this.sorted && new Set(this.list.map((k) => k.id)).size < this.list.length) {
      throw ambiguous();
    }
  }

  private change(e: Change): void {
    for (let i = 0; i < Math.max(e.rows.length, e.old.length); i++) {
      const row = e.rows[i];
      const old = e.old[i];
      if (e.type === "delete") this.remove(this.keyed(e.schema, old ?? row!), e.position);
      else if (!row) throw new Inconsistent("a change without rows");
      else if (e.append) this.extend(this.keyed(e.schema, row), e.append);
      else if (e.type === "insert") this.insert(e.schema, this.keyed(e.schema, row), e.position);
      else this.replace(e.schema, this.keyed(e.schema, row), old, e.position);
    }
  }

  private insert(schema: Column[], k: Keyed, position: number | undefined): void {
    if (this.columns(schema).length > 0 && this.find(k).found) {
      if (!this.merged) throw ambiguous();
      this.replace(schema, k, undefined, position);
      return;
    }
    this.put(k, position);
  }

  /** `old` holds the key and the columns that changed. */
  private replace(
    schema: Column[], k: Keyed, old: Row | undefined, position: number | undefined,
  ): void {
    const was = this.columns(schema).length > 0 ? k : this.keyed(schema, { ...k.row, ...old });
    const { at, found } = this.find(was);
    if (!found) {
      if (!this.merged) throw new Inconsistent("an update of a row that is not there");
      this.put(k, position);
    } else if (position === undefined || position === at) {
      this.list[at] = k;
    } else {
      if (position < 0 || position >= this.list.length) throw new Inconsistent("a wrong position");
      this.list.splice(at, 1);
      this.put(k, position);
    }
  }

  /** Takes a row out: that at the position, since rows without a key may be there twice. */
  private remove(k: Keyed, position: number | undefined): void {
    const { at, found } = position === undefined
      ? this.find(k) : { at: position, found: this.list[position]?.id === k.id };
    if (found) this.list.splice(at, 1);
    else if (!this.merged) throw new Inconsistent("a delete of a row that is not there");
  }

  private extend(k: Keyed, a: Append): void {
    const { at, found } = this.find(k);
    const there = this.list[at];
    if (!found || !there || !(a.column in there.row)) {
      throw new Inconsistent("an append to a row that is not there");
    }
    const before = String(there.row[a.column] ?? "");
    if (utf8Length(before) !== a.offset) throw new Inconsistent("an append at a wrong offset");
    const row = { ...there.row };
    for (const [name, value] of Object.entries(k.row)) {
      if (name in row) row[name] = value; // what comes beside the key, _seq
    }
    row[a.column] = before + a.text;
    this.list[at] = { ...there, row };
  }

  private put(k: Keyed, position: number | undefined): void {
    let at = this.list.length;
    if (position !== undefined) {
      if (position < 0 || position > this.list.length) throw new Inconsistent("a wrong position");
      at = position;
      this.sorted &&= this.fits(k, at);
    } else if (this.sorted) {
      at = this.find(k).at;
    }
    this.list.splice(at, 0, k);
  }

  private fits(k: Keyed, at: number): boolean {
    const before = this.list[at - 1];
    const after = this.list[at];
    return (!before || this.order(before.key, k.key) < 0) &&
      (!after || this.order(k.key, after.key) < 0);
  }

  /** Returns where the row of a key is, or would be. */
  private find(k: Keyed): { at: number; found: boolean } {
    if (!this.sorted) {
      const at = this.list.findIndex((x) => x.id === k.id);
      return { at, found: at >= 0 };
    }
    let low = 0;
    let high = this.list.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (this.order(this.list[mid]!.key, k.key) < 0) low = mid + 1;
      else high = mid;
    }
    return { at: low, found: this.list[low]?.id === k.id };
  }

  private columns(schema: Column[]): string[] {
    return this.named ?? schema.filter((c) => c.flags?.includes("pk")).map((c) => c.name);
  }

  private keyed(schema: Column[], row: Row): Keyed {
    let columns = this.columns(schema);
    if (columns.length === 0) columns = schema.map((c) => c.name);
    else {
      const missing = columns.find((c) => !(c in row));
      if (missing !== undefined) {
        throw new KalamError("INVALID_PARAMETER",
          `the query does not select its key column "${missing}"; add it`);
      }
    }
    const key = columns.map((c) => row[c] ?? null);
    return { id: identity(key), key, row };
  }
}

function identity(key: Value[]): string {
  return JSON.stringify(key, (_, v: Value) => (typeof v === "bigint" ? `${v}` : v));
}

function ambiguous(): KalamError {
  return new KalamError("INVALID_PARAMETER",
    "two rows have the same key; select every column of the primary key, or name the key");
}
