import type { BaseOptions } from "@platformatic/kafka";

/** How to reach the brokers, and how this installation names its topics and consumer groups. */
export interface KafkaOptions {
  /** `host:port` of some brokers; the others are discovered. */
  readonly brokers: readonly string[];
  /** Name of this process in the brokers' logs and quotas. */
  readonly clientId: string;
  /** Prefix of topics and consumer groups, so that installations can share a cluster. */
  readonly prefix: string;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  readonly sasl?: {
    readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
    readonly username: string;
    readonly password: string;
  };
  /** Time in milliseconds after which a silent consumer loses its partitions to the others. Default 10 s. */
  readonly sessionTimeoutMs?: number;
}

/** The options of every client. Requests are retried for about two seconds; longer outages are the callers' to retry. */
export function clientOptions({ brokers, clientId, tls, sasl }: KafkaOptions): BaseOptions {
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    retries: 4,
    retryDelay: 500,
    connectTimeout: 3_000,
    requestTimeout: 10_000,
    timeout: 5_000,
    ...(tls && { tls: { ...tls }, tlsServerName: true }),
    ...(sasl && { sasl: { ...sasl } }),
  };
}
