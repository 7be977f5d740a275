import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";

/**
 * Counts uses of a key in fixed windows. Port for request limits: in memory for one process, in a shared store for
 * several.
 */
export interface RateLimiter {
  readonly limit: number;
  readonly windowSeconds: number;
  /** Counts one use and returns whether it is within the limit. */
  use(key: string): Promise<Quota>;
  /** Like `use`, without counting. */
  look(key: string): Promise<Quota>;
}

/** State of a key in its current window. */
export interface Quota {
  readonly allowed: boolean;
  readonly limit: number;
  /** Remaining uses in the window. */
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

/**
 * Rate limiter in this process's memory; keys are evicted when their window ends. A limit that is a function is read at
 * each use, and applies to the current windows too.
 */
export function createMemoryRateLimiter(options: {
  limit: number | (() => number);
  windowSeconds: number;
}): RateLimiter {
  const { limit, windowSeconds } = options;
  const currentLimit = typeof limit === "function" ? limit : () => limit;
  const counter = new RateLimiterMemory({ points: currentLimit(), duration: windowSeconds });
  const quotaOf = (found: RateLimiterRes | null, allowed: boolean): Quota => ({
    allowed,
    limit: currentLimit(),
    remaining: found?.remainingPoints ?? currentLimit(),
    resetMs: Math.max(0, found?.msBeforeNext ?? windowSeconds * 1000),
  });
  return {
    get limit() {
      return currentLimit();
    },
    windowSeconds,
    async use(key) {
      counter.points = currentLimit();
      try {
        return quotaOf(await counter.consume(key), true);
      } catch (refusal) {
        // The library rejects with the state of the key, which is not an Error.
        if (refusal instanceof RateLimiterRes) {
          return quotaOf(refusal, false);
        }
        throw refusal;
      }
    },
    async look(key) {
      const found = await counter.get(key);
      return quotaOf(found, (found?.consumedPoints ?? 0) < currentLimit());
    },
  };
}
