/** What a client is told of an error: `code` is one of the server's. */
export class KalamError extends Error {
  /** The server's code, as `TABLE_NOT_FOUND`; `UNREACHABLE` when no answer came. */
  readonly code: string;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** The failed statement of the text, from 1; 0 when not known. */
  readonly statement: number;
  /** The byte of the text where it failed, from 1; 0 when not known. */
  readonly position: number;

  constructor(code: string, message: string, more: ErrorDetails = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "KalamError";
    this.code = code;
    this.retryable = more.retryable ?? retryableCodes.has(code);
    this.statement = more.statement ?? 0;
    this.position = more.position ?? 0;
  }
}

export interface ErrorDetails {
  retryable?: boolean | undefined;
  statement?: number | undefined;
  position?: number | undefined;
  cause?: unknown;
}

/** Codes that may pass by themselves, where a message does not say so. */
const retryableCodes = new Set([
  "UNREACHABLE", "SLOW_CONSUMER", "RATE_LIMIT_EXCEEDED", "NOT_LEADER", "NO_QUORUM",
  "FORWARD_FAILED", "STORAGE_UNAVAILABLE", "STORAGE_FULL", "SHUTTING_DOWN",
]);

/** Makes a KalamError of whatever was thrown. */
export function asError(thrown: unknown): KalamError {
  if (thrown instanceof KalamError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new KalamError("INTERNAL", message, { cause: thrown });
}
