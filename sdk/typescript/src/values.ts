import type { Column, Json } from "./wire.js";

/** How 64-bit integers come: as decimal strings, or as bigint. */
export type BigIntMode = "string" | "bigint";

export type Value = Json | bigint;
/** A row by column name. */
export type Row = Record<string, Value>;

/** A value for $1 or ? of a statement. */
export type Param =
  | null | undefined | boolean | number | string | bigint | Date | Uint8Array
  | Json[] | { [name: string]: Json };

/** Converts a parameter to what JSON has a form for. */
export function encodeParam(p: Param): Json {
  switch (typeof p) {
    case "undefined":
      return null;
    case "bigint":
      return p.toString();
  }
  if (p instanceof Date) return p.toISOString();
  if (p instanceof Uint8Array) return base64(p);
  return p as Json;
}

function base64(bytes: Uint8Array): string {
  const piece = 0x8000; // what a call takes as arguments
  let text = "";
  for (let i = 0; i < bytes.length; i += piece) {
    text += String.fromCharCode(...bytes.subarray(i, i + piece));
  }
  return btoa(text);
}

const bigColumns = new Set(["BigInt", "UnsignedBigInt"]);

/** Returns what converts a value of the column, or nothing when it stays as it is. */
export function decoder(c: Column, mode: BigIntMode): ((v: Json) => Value) | undefined {
  if (mode !== "bigint" || !bigColumns.has(c.data_type)) return undefined;
  return (v) => (typeof v === "string" || typeof v === "number" ? BigInt(v) : v);
}

/** Returns what makes rows by name of rows by position. */
export function rowReader(schema: Column[], mode: BigIntMode): (values: Json[]) => Row {
  const columns = schema.map((c) => ({ name: c.name, decode: decoder(c, mode) }));
  return (values) => {
    const row: Row = {};
    columns.forEach(({ name, decode }, i) => {
      const v = values[i] ?? null;
      row[name] = decode ? decode(v) : v;
    });
    return row;
  };
}

const integers = /Int$/;
const instants = new Set(["Timestamp", "DateTime"]);

/** Returns what compares two values of a key column as the server sorts them. */
export function keyOrder(dataType: string | undefined): (a: Value, b: Value) => number {
  if (dataType !== undefined && integers.test(dataType)) {
    return (a, b) => compare(toBigInt(a), toBigInt(b));
  }
  if (dataType !== undefined && instants.has(dataType)) {
    // Without the Z a fraction of seconds sorts behind the second it belongs to.
    return (a, b) => compare(String(a).replace(/Z$/, ""), String(b).replace(/Z$/, ""));
  }
  return (a, b) => compareText(String(a), String(b));
}

function toBigInt(v: Value): bigint {
  return typeof v === "bigint" ? v : BigInt(String(v));
}

function compare<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Compares by code point, as UTF-8 sorts. */
function compareText(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return sortable(x) - sortable(y);
  }
  return a.length - b.length;
}

/** Moves surrogates, which stand for code points above all others, behind them. */
function sortable(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Returns the length of a text in bytes of UTF-8. */
export function utf8Length(text: string): number {
  let n = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) n += 1;
    else if (unit < 0x800) n += 2;
    else if (unit >= 0xd800 && unit <= 0xdbff) {
      n += 4;
      i++;
    } else n += 3;
  }
  return n;
}
