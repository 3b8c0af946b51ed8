/** The messages of the server's HTTP and WebSocket interface. */

export interface Column {
  name: string;
  /** As in system.data_types: "BigInt", "Text", "Timestamp" ... */
  data_type: string;
  index: number;
  flags?: string[];
}

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type WireRow = Record<string, Json>;

export interface WireError {
  code: string;
  message: string;
  statement?: number;
  position?: number;
  retryable?: boolean;
}

export interface WireResult {
  schema: Column[];
  rows: Json[][];
  row_count: number;
  message?: string;
  as_user?: string;
  seq?: string;
}

export interface WireAnswer {
  status: "success" | "error";
  results: WireResult[];
  took?: number;
  request_id?: string;
  error?: WireError;
}

export interface WireTokens {
  access_token: string;
  refresh_token: string;
  expires_at: string;
  refresh_expires_at: string;
  user: User;
}

export interface User {
  id: string;
  role: "user" | "service" | "dba";
  email: string;
}

/** Any message of the server on the WebSocket; which members it has follows from its type. */
export interface Frame {
  type: string;
  subscription_id?: string;
  schema?: Column[];
  schema_version?: number;
  batch_control?: { batch_num: number; has_more: boolean; status: string; last_seq_id?: string };
  change_type?: "insert" | "update" | "delete";
  reason?: string;
  rows?: WireRow[];
  old_values?: WireRow[];
  seq?: string;
  commit?: boolean;
  position?: number;
  append?: Append;
  code?: string;
  message?: string;
}

export interface Append {
  column: string;
  /** Bytes of UTF-8 that stood before it. */
  offset: number;
  text: string;
}

/** The reason of a close frame: JSON of ours, or the text of a proxy. */
export interface CloseReason {
  code: string;
  reconnect: boolean;
  message: string;
}

export function parseCloseReason(text: string): CloseReason {
  try {
    const r = JSON.parse(text) as Partial<CloseReason>;
    if (r !== null && typeof r === "object") {
      return { code: r.code ?? "", reconnect: r.reconnect === true, message: r.message ?? "" };
    }
  } catch {
    // not ours
  }
  return { code: "", reconnect: true, message: text };
}
