import { Cluster, Redis } from "ioredis";
import { redisScripts } from "./redis-scripts.ts";

export interface RedisOptions {
  /** `redis://` or `rediss://` (TLS) URLs; of a cluster, any of its nodes. */
  readonly urls: readonly string[];
  /** Whether the nodes form a Redis Cluster. */
  readonly cluster: boolean;
}

/** The scripts of the cache as methods, which `scripts` defines. */
interface ScriptMethods {
  cacheRead(key: string, token: string, leaseMs: number): Promise<unknown>;
  cachePut(key: string, token: string, version: number, data: string, maxAgeMs: number): Promise<unknown>;
  cacheRelease(key: string, token: string): Promise<unknown>;
  cacheInvalidate(
    entry: string,
    sequence: string,
    version: number,
    tombstoneMs: number,
    channel: string,
    message: string,
  ): Promise<unknown>;
  cacheState(sequence: string): Promise<unknown>;
}

/** Commands of one node or of a cluster. */
export type RedisClient = (Redis | Cluster) & ScriptMethods;

/** Connections to Redis. Disposing closes them. */
export interface RedisConnection extends Disposable {
  readonly client: RedisClient;
  /** For sharded subscriptions, which occupy a connection of their own. */
  readonly subscriber: Redis | Cluster;
}

/** Time limit of one attempt of a command. */
const commandTimeoutMs = 300;
const reconnectMs = 100;

/** Connects in the background, and again after each interruption. Commands are refused meanwhile instead of queued. */
export function connectRedis({ urls, cluster }: RedisOptions): RedisConnection {
  const [first = ""] = urls;
  if (cluster) {
    const client = connectCluster(urls, first);
    return { client, subscriber: client, [Symbol.dispose]: () => client.disconnect() };
  }
  const client = connectNode(first);
  const subscriber = connectNode(first);
  return {
    client,
    subscriber,
    [Symbol.dispose]() {
      client.disconnect();
      subscriber.disconnect();
    },
  };
}

const common = {
  connectTimeout: 1_000,
  disconnectTimeout: 200,
  commandTimeout: commandTimeoutMs,
  maxRetriesPerRequest: 0,
  connectionName: "docket",
};

function connectNode(url: string): RedisClient & Redis {
  const client = new Redis(url, {
    ...common,
    enableOfflineQueue: false,
    retryStrategy: () => reconnectMs,
    scripts: redisScripts,
  });
  // Whoever issues commands learns of failures by their rejections.
  client.on("error", () => {});
  return client as RedisClient & Redis;
}

function connectCluster(urls: readonly string[], first: string): RedisClient {
  const client = new Cluster([...urls], {
    redisOptions: { ...common, ...credentialsOf(first) },
    enableOfflineQueue: false,
    clusterRetryStrategy: () => reconnectMs,
    shardedSubscribers: true,
    slotsRefreshInterval: 2_000,
    slotsRefreshTimeout: 1_000,
    maxRedirections: 4,
    retryDelayOnFailover: 50,
    retryDelayOnClusterDown: 50,
    retryDelayOnTryAgain: 50,
    scripts: redisScripts,
  });
  client.on("error", () => {});
  return client as RedisClient;
}

/** What nodes need that the cluster names later. */
function credentialsOf(text: string): { username?: string; password?: string; tls?: object } {
  const { username, password, protocol } = new URL(text);
  return {
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    ...(protocol === "rediss:" && { tls: {} }),
  };
}
