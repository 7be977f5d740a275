import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";

/**
 * Counts uses of a key in windows of a fixed length. The port for limits of requests: this process's memory for one
 * process; a store that several share, for several.
 */
export interface RateLimiter {
  readonly limit: number;
  readonly windowSeconds: number;
  /** Counts one use. Its result says whether the use is within the limit. */
  use(key: string): Promise<Quota>;
  /** What `use` would say, without counting. */
  look(key: string): Promise<Quota>;
}

/** Where a key is in its current window. */
export interface Quota {
  readonly allowed: boolean;
  readonly limit: number;
  /** Uses that are left in the window. */
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

/** Counts in the memory of this process; a key is forgotten when its window ends. */
export function createMemoryRateLimiter(options: { limit: number; windowSeconds: number }): RateLimiter {
  const { limit, windowSeconds } = options;
  const counter = new RateLimiterMemory({ points: limit, duration: windowSeconds });
  const quotaOf = (found: RateLimiterRes | null, allowed: boolean): Quota => ({
    allowed,
    limit,
    remaining: found?.remainingPoints ?? limit,
    resetMs: Math.max(0, found?.msBeforeNext ?? windowSeconds * 1000),
  });
  return {
    limit,
    windowSeconds,
    async use(key) {
      try {
        return quotaOf(await counter.consume(key), true);
      } catch (refusal) {
        // The library rejects with the state of the key, which is no Error.
        if (refusal instanceof RateLimiterRes) {
          return quotaOf(refusal, false);
        }
        throw refusal;
      }
    },
    async look(key) {
      const found = await counter.get(key);
      return quotaOf(found, (found?.consumedPoints ?? 0) < limit);
    },
  };
}
