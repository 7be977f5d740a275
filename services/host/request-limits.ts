import type { Live } from "../runtime/config/live.ts";
import { createMemoryRateLimiter, type RateLimiter } from "../runtime/limits/rate-limiter.ts";
import type { RateLimits } from "../runtime/limits/rate-limits.ts";
import { createSlots } from "../runtime/limits/stream-slots.ts";
import type { HostConfig } from "./config.ts";

/** The configured limits of authenticated callers. Changed limits apply to what was counted before. */
export function rateLimitsOf(config: Live<HostConfig>): RateLimits {
  const perKey = perMinute(() => config.current.keyRateLimit);
  const perTenant = perMinute(() => config.current.tenantRateLimit);
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
        const limiter = methods.get(method) ?? limiterPerMinute(() => limitOf() ?? 0);
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

/** A limiter per minute; it returns undefined (no limit) while the limit is 0. */
export function perMinute(limit: () => number): () => RateLimiter | undefined {
  const limiter = limiterPerMinute(limit);
  return () => (limit() === 0 ? undefined : limiter);
}

function limiterPerMinute(limit: () => number): RateLimiter {
  return createMemoryRateLimiter({ limit, windowSeconds: 60 });
}
