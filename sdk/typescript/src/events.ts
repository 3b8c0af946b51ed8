import type { KalamError } from "./errors.js";
import type { Row } from "./values.js";
import type { Append, Column } from "./wire.js";

/** Rows of the result as it was at the beginning; the last one is `ready`. */
export interface Snapshot {
  type: "snapshot";
  rows: Row[];
  ready: boolean;
  /** The rows behind the window, loaded before, follow at once as `older`. */
  grows: boolean;
  schema: Column[];
}

/** A change of the result, in the order of commits. */
export interface Change {
  type: "insert" | "update" | "delete";
  /** The row began or ceased to match the query; it was not inserted or deleted itself. */
  reason?: "enter" | "leave";
  /** Every column of the query; of a delete usually none. */
  rows: Row[];
  /** Of an update the key and the columns that changed, of a delete the key and the old row. */
  old: Row[];
  seq: string;
  /** The last change of its commit. */
  commit: boolean;
  /** The place in the window of a query with ORDER BY and LIMIT, from 0. */
  position?: number;
  /** Text that was put behind a column's text; `rows` then hold the key only. */
  append?: Append;
  schema: Column[];
}

/** What was told so far is no base any more: a new snapshot follows. */
export interface Resync {
  type: "resync";
  reason: string;
}

/** The rows that follow have other columns. */
export interface SchemaChange {
  type: "schema";
  schema: Column[];
}

/** The answer to `loadOlder`: rows that stand behind those that are there. */
export interface Older {
  type: "older";
  rows: Row[];
  /** There are others to load. */
  more: boolean;
  /** Why there are no rows. */
  error?: KalamError;
  schema: Column[];
}

export type LiveEvent = Snapshot | Change | Resync | SchemaChange | Older;

/** What the server does when events are not taken as fast as they come. */
export type Policy = "replay" | "conflate" | "disconnect";

export interface SubscribeOptions {
  /** Limits the snapshot to its last rows. */
  lastRows?: number;
  /** The rows of one snapshot event. */
  batchSize?: number;
  /** Resumes behind a cursor, with no snapshot. */
  from?: string;
  policy?: Policy;
  /** Called once when the query ends by itself. */
  onError?: (error: KalamError) => void;
}
