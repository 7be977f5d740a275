import { createMemoryRateLimiter, type RateLimiter } from "../runtime/limits/rate-limiter.ts";
import type { RateLimits } from "../runtime/limits/rate-limits.ts";
import { createSlots, type Slots } from "../runtime/limits/stream-slots.ts";
import type { HostConfig } from "./config.ts";

/** The configured limits of authenticated callers. */
export function rateLimitsOf(config: HostConfig): RateLimits {
  return {
    perKey: perMinute(config.keyRateLimit),
    perTenant: perMinute(config.tenantRateLimit),
    perMethod: new Map(
      [...config.methodRateLimits].map(([method, limit]) => [
        method,
        createMemoryRateLimiter({ limit, windowSeconds: 60 }),
      ]),
    ),
    streamsPerKey: slots(config.keyStreamLimit),
    streamsPerTenant: slots(config.tenantStreamLimit),
  };
}

/** A limiter per minute; undefined (no limit) for 0. */
export function perMinute(limit: number): RateLimiter | undefined {
  return limit === 0 ? undefined : createMemoryRateLimiter({ limit, windowSeconds: 60 });
}

function slots(limit: number): Slots | undefined {
  return limit === 0 ? undefined : createSlots(limit);
}
