/** Exponential backoff between attempts. */
export interface Backoff {
  /** Upper bound of the delay after the first failure. */
  readonly initialMs: number;
  /** Upper bound of all delays. */
  readonly maxMs: number;
}

/**
 * Delay after this many failures (1 or more) with full jitter: uniform between zero and `initialMs`, which doubles with
 * each failure up to `maxMs`. This spreads out callers that failed together
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
 */
export function fullJitterMs(failures: number, { initialMs, maxMs }: Backoff, random: () => number): number {
  const ceiling = Math.min(maxMs, initialMs * 2 ** Math.min(failures - 1, 30));
  return random() * ceiling;
}
