import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { RedisClient } from "../cache/redis-client.ts";

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

export interface RateLimiterOptions {
  /** Uses of a key in a window. A function is read at each use, and applies to the current windows too. */
  readonly limit: number | (() => number);
  readonly windowSeconds: number;
}

/** Rate limiter in this process's memory; keys are evicted when their window ends. */
export function createMemoryRateLimiter(options: RateLimiterOptions): RateLimiter {
  const counter = new RateLimiterMemory({ points: 0, duration: options.windowSeconds });
  return createLimiter(options, [counter], () => counter);
}

/** Redis with the counts of all processes. */
export interface SharedCounts {
  readonly client: RedisClient;
  /** Beginning of every key. */
  readonly prefix: string;
  /** Whether Redis works at the moment. */
  readonly isAvailable: () => boolean;
}

/**
 * Rate limiter for all processes together, in Redis. While Redis is away each process counts in its memory, so that the
 * limit then holds for each of them. `name` distinguishes the limiters of an installation.
 */
export function createSharedRateLimiter(
  options: RateLimiterOptions & { readonly name: string },
  { client, prefix, isAvailable }: SharedCounts,
): RateLimiter {
  const { windowSeconds, name } = options;
  const memory = new RateLimiterMemory({ points: 0, duration: windowSeconds });
  const shared = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: `${prefix}:limit:${name}`,
    points: 0,
    duration: windowSeconds,
    insuranceLimiter: memory,
  });
  return createLimiter(options, [memory, shared], () => (isAvailable() ? shared : memory));
}

type Counter = Pick<RateLimiterMemory, "consume" | "get" | "points">;

/** `counters` are all that `current` may return. */
function createLimiter(
  { limit, windowSeconds }: RateLimiterOptions,
  counters: readonly Counter[],
  current: () => Counter,
): RateLimiter {
  const currentLimit = typeof limit === "function" ? limit : () => limit;
  const quotaOf = (found: RateLimiterRes | null, allowed: boolean): Quota => ({
    allowed,
    limit: currentLimit(),
    remaining: found?.remainingPoints ?? currentLimit(),
    resetMs: Math.max(0, found?.msBeforeNext ?? windowSeconds * 1000),
  });
  const applyLimit = () => {
    for (const counter of counters) {
      counter.points = currentLimit();
    }
  };
  applyLimit();
  return {
    get limit() {
      return currentLimit();
    },
    windowSeconds,
    async use(key) {
      applyLimit();
      try {
        return quotaOf(await current().consume(key), true);
      } catch (refusal) {
        // The library rejects with the state of the key, which is not an Error.
        if (refusal instanceof RateLimiterRes) {
          return quotaOf(refusal, false);
        }
        throw refusal;
      }
    },
    async look(key) {
      const found = await current().get(key);
      return quotaOf(found, (found?.consumedPoints ?? 0) < currentLimit());
    },
  };
}
