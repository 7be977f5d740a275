import type { Live } from "../runtime/config/live.ts";
import {
  createMemoryRateLimiter,
  createSharedRateLimiter,
  type RateLimiter,
  type SharedCounts,
} from "../runtime/limits/rate-limiter.ts";
import type { RateLimits } from "../runtime/limits/rate-limits.ts";
import { createSlots } from "../runtime/limits/stream-slots.ts";
import type { HostConfig } from "./config.ts";

/** Creates a limiter of uses per minute. The name is that of its counts in Redis. */
export type CreateLimiter = (name: string, limit: () => number) => RateLimiter;

/** With Redis the processes of an installation count together, without it each for itself. */
export function limitersIn(shared: SharedCounts | undefined): CreateLimiter {
  return (name, limit) => {
    const options = { name, limit, windowSeconds: 60 };
    return shared === undefined ? createMemoryRateLimiter(options) : createSharedRateLimiter(options, shared);
  };
}

/** The configured limits of authenticated callers. Changed limits apply to what was counted before. */
export function rateLimitsOf(config: Live<HostConfig>, create: CreateLimiter): RateLimits {
  const perKey = unlessZero(create, "key", () => config.current.keyRateLimit);
  const perTenant = unlessZero(create, "tenant", () => config.current.tenantRateLimit);
  const streamsPerKey = createSlots(() => config.current.keyStreamLimit);
  const streamsPerTenant = createSlots(() => config.current.tenantStreamLimit);
  const methods = new Map<string, RateLimiter>();
  return {
    get perKey() {
      return perKey();
    },
    get perTenant() {
      return perTenant();
    },
    perMethod: {
      get(method) {
        const limitOf = () => config.current.methodRateLimits.get(method);
        if (limitOf() === undefined) {
          return undefined;
        }
        const limiter = methods.get(method) ?? create("method", () => limitOf() ?? 0);
        methods.set(method, limiter);
        return limiter;
      },
    },
    get streamsPerKey() {
      return streamsPerKey.limit === 0 ? undefined : streamsPerKey;
    },
    get streamsPerTenant() {
      return streamsPerTenant.limit === 0 ? undefined : streamsPerTenant;
    },
  };
}

/** Creates a limiter per minute, which is undefined (no limit) while the limit is 0. */
export function unlessZero(create: CreateLimiter, name: string, limit: () => number): () => RateLimiter | undefined {
  const limiter = create(name, limit);
  return () => (limit() === 0 ? undefined : limiter);
}
