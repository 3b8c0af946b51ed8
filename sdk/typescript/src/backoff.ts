/** Waits that double from one failure to the next, shortened by up to half at random. */
export class Backoff {
  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
  ) {}

  /** Returns the wait after the given failure, counted from 1. */
  after(failure: number): number {
    const full = Math.min(this.maxMs, this.minMs * 2 ** Math.min(failure - 1, 30));
    return full / 2 + Math.random() * (full / 2);
  }
}

/** Waits, at most until the signal; then it rejects with the signal's reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
