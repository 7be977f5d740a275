import type { Caches } from "../runtime/cache/caches.ts";
import { connectRedis, type RedisConnection } from "../runtime/cache/redis-client.ts";
import type { Check } from "../runtime/process/checks.ts";
import type { HostConfig } from "./config.ts";
import { redisUrlsOf } from "./redis-urls.ts";

/** Connects to the configured Redis in the background; undefined if none is. */
export function connectToRedis({ redis: { url, cluster } }: HostConfig): RedisConnection | undefined {
  return url === undefined ? undefined : connectRedis({ urls: redisUrlsOf(url) ?? [], cluster });
}

/** Warns while Redis is away: without it, processes cache and count for themselves. */
export function redisCheck(shared: NonNullable<Caches["shared"]>): Check {
  return {
    policy: "degraded",
    async run() {
      if (!shared.available) {
        return { status: "fail", error: "Redis does not answer, or has not answered for long enough" };
      }
      return shared.interrupted ? { status: "warn", error: "invalidations may be missing" } : undefined;
    },
  };
}
