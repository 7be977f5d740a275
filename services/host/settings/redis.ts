import * as v from "valibot";
import { flag, text, url } from "../../runtime/config/scalars.ts";
import { redisUrlsOf } from "../redis-urls.ts";

/** Redis, in which the processes of an installation share caches and rate limits. Never the only place of any data. */
export const redisSettings = v.object({
  url: url("DOCKET_REDIS_URL", ["redis", "rediss"], {
    otherwise: "no Redis: each process caches and counts for itself",
    description:
      "Redis 7 or later, in which processes share caches and rate limits: `redis://user:password@host:port`, with TLS `rediss:`. Of a cluster, nodes between commas: `redis://host:port,host:port`.",
  }),
  cluster: flag("DOCKET_REDIS_CLUSTER", { default: false, description: "Whether it is a Redis Cluster." }),
  prefix: text("DOCKET_REDIS_PREFIX", {
    default: "docket",
    description: "Beginning of every name in Redis, for installations that share one.",
  }),
});

/** Problems of settings that do not fit together. */
export function redisProblems({ url, cluster }: v.InferOutput<typeof redisSettings>): string[] {
  const urls = url === undefined ? [] : redisUrlsOf(url);
  if (urls === undefined) {
    return [
      "DOCKET_REDIS_URL must have the form redis://user:password@host:port, of a cluster with nodes between commas",
    ];
  }
  return urls.length > 1 && !cluster ? ["DOCKET_REDIS_URL may name several nodes only with DOCKET_REDIS_CLUSTER"] : [];
}
