/** How long to pause between attempts. */
export interface Backoff {
  /** The longest pause after the first failure. */
  readonly initialMs: number;
  /** The longest pause of all. */
  readonly maxMs: number;
}

/**
 * The pause after that many failures (1 or more) with full jitter: drawn evenly from nothing up to `initialMs`, which
 * doubles with each failure up to `maxMs`. Callers that failed together thus come back spread out
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
 */
export function fullJitterMs(failures: number, { initialMs, maxMs }: Backoff, random: () => number): number {
  const ceiling = Math.min(maxMs, initialMs * 2 ** Math.min(failures - 1, 30));
  return random() * ceiling;
}
