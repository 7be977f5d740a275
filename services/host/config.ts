import { isLoopback, parseNetworks } from "../../gateway/http/client-address.ts";
import { defaultServerLimits } from "../../gateway/http/server-limits.ts";
import { orderDefaults } from "../order/config.ts";
import {
  ConfigError,
  type ConfigOf,
  counts,
  type Environment,
  entries,
  flag,
  integer,
  list,
  milliseconds,
  networks,
  oneOf,
  port,
  readConfig,
  secret,
  text,
  url,
} from "../runtime/config/config.ts";
import { defaultRetention } from "../runtime/retention/settings.ts";
import { serviceNames, type Target, targetNames, targetsOf } from "./targets.ts";

/** All settings of a host. */
const settings = {
  /**
   * Targets of this process: `all`, or some of `order`, `payment`, `logistics`, `inventory`, `operations`, `gateway`.
   */
  services: list("DOCKET_SERVICES", { fallback: ["all"] }),
  /** `order=host:port,payment=host:port`: gRPC addresses of services in other processes. */
  serviceAddresses: entries("DOCKET_SERVICE_ADDRESSES", { fallback: new Map() }),
  /** Secret with which services authenticate each other, shared by all processes of an installation. */
  serviceSecret: secret("DOCKET_SERVICE_SECRET", { fallback: undefined, minLength: 32, maxLength: 512 }),
  /**
   * Signing secret of the sandboxes' callbacks. Default: generated at the first start and stored in the data folder.
   */
  sandboxSecret: secret("DOCKET_SANDBOX_SECRET", { fallback: undefined, minLength: 32, maxLength: 512 }),
  /** REST, Connect, gRPC-Web, the OpenAPI documents. 0 is any free port, here and below. */
  httpPort: port("DOCKET_HTTP_PORT", { fallback: 8080 }),
  /** Native gRPC. */
  grpcPort: port("DOCKET_GRPC_PORT", { fallback: 9090 }),
  /** Probes and metrics. */
  opsPort: port("DOCKET_OPS_PORT", { fallback: 8081 }),
  /** Bind address of the HTTP and gRPC ports; `0.0.0.0` for all interfaces. */
  host: text("DOCKET_HOST", { fallback: "127.0.0.1" }),
  /** Bind address of probes and metrics, which are served without authentication. */
  opsHost: text("DOCKET_OPS_HOST", { fallback: "127.0.0.1" }),
  /** PEM files. The first two enable TLS on the HTTP and gRPC ports; the third requires client certificates. */
  tlsCertFile: text("DOCKET_TLS_CERT_FILE", { fallback: undefined }),
  tlsKeyFile: text("DOCKET_TLS_KEY_FILE", { fallback: undefined }),
  tlsClientCaFile: text("DOCKET_TLS_CLIENT_CA_FILE", { fallback: undefined }),
  /** Whether `grpc.reflection` is served. */
  reflection: flag("DOCKET_REFLECTION", { fallback: true }),
  /** Whether the OpenAPI documents and their page are served. */
  docs: flag("DOCKET_DOCS", { fallback: true }),
  /** Databases and secrets. */
  dataDir: text("DOCKET_DATA_DIR", { fallback: ".docket" }),
  /**
   * `mysql://user:password@host:port/prefix`: each service has a schema whose name begins with the prefix. Default:
   * SQLite in the data folder.
   */
  databaseUrl: url("DOCKET_DATABASE_URL", ["mysql"], { fallback: undefined }),
  /** Default: generated at the first start, shown once and stored in the data folder. */
  adminKey: secret("DOCKET_ADMIN_KEY", { fallback: undefined, minLength: 32, maxLength: 512 }),
  /** Issuer of JWTs, which are accepted in addition to API keys if all three settings are present. */
  jwtIssuer: text("DOCKET_JWT_ISSUER", { fallback: undefined }),
  jwtAudience: text("DOCKET_JWT_AUDIENCE", { fallback: undefined }),
  /** URL of the issuer's keys (a JWKS). */
  jwtKeysUrl: url("DOCKET_JWT_KEYS_URL", ["https", "http"], { fallback: undefined }),
  /** Longest accepted lifetime of a JWT. */
  jwtMaxLifetimeMs: milliseconds("DOCKET_JWT_MAX_LIFETIME", { fallback: 24 * 3_600_000 }),
  /** Whether the issuer may grant `platform.admin`, which gives access to the keys of every tenant. */
  jwtPlatformAdmin: flag("DOCKET_JWT_PLATFORM_ADMIN", { fallback: false }),
  /** External URL of the HTTP port, for links and the sandbox's callbacks. Default: the bind address. */
  publicUrl: url("DOCKET_PUBLIC_URL", ["http", "https"], { fallback: undefined }),
  /** Comma-separated CORS origins; `*` for all. */
  corsOrigins: list("DOCKET_CORS_ORIGINS", { fallback: ["*"] }),
  /** Time limit of a SELECT whose duration depends on the caller. */
  queryTimeoutMs: milliseconds("DOCKET_QUERY_TIMEOUT", { fallback: 10_000, min: 1, max: 24 * 3_600_000 }),
  /** Retention of the audit trail. */
  auditRetentionMs: milliseconds("DOCKET_AUDIT_RETENTION", { fallback: 365 * 24 * 3_600_000 }),
  /** Retention of ended orders. Default: forever. */
  orderRetentionMs: milliseconds("DOCKET_ORDER_RETENTION", { fallback: undefined }),
  /** See `RetentionSettings` for this and the next ones. */
  deadLetterRetentionMs: milliseconds("DOCKET_DEAD_LETTER_RETENTION", { fallback: defaultRetention.deadLettersMs }),
  sagaRetentionMs: milliseconds("DOCKET_SAGA_RETENTION", { fallback: defaultRetention.sagasMs }),
  callbackRetentionMs: milliseconds("DOCKET_CALLBACK_RETENTION", { fallback: defaultRetention.callbacksMs }),
  deliveryRetentionMs: milliseconds("DOCKET_DELIVERY_RETENTION", { fallback: defaultRetention.deliveriesMs }),
  idempotencyRetentionMs: milliseconds("DOCKET_IDEMPOTENCY_RETENTION", {
    fallback: defaultRetention.idempotencyKeysMs,
    // The time within which callers may repeat a request.
    min: 24 * 3_600_000,
  }),
  outboxRetentionMs: milliseconds("DOCKET_OUTBOX_RETENTION", { fallback: defaultRetention.outboxMs }),
  inboxRetentionMs: milliseconds("DOCKET_INBOX_RETENTION", { fallback: defaultRetention.inboxMs }),
  feedRetentionMs: milliseconds("DOCKET_FEED_RETENTION", { fallback: orderDefaults.feedRetentionMs }),
  sandboxRetentionMs: milliseconds("DOCKET_SANDBOX_RETENTION", { fallback: defaultRetention.sandboxMs }),
  /** Interval of retention runs. */
  retentionIntervalMs: milliseconds("DOCKET_RETENTION_INTERVAL", { fallback: defaultRetention.everyMs }),
  /** Time within which an order must be paid. */
  paymentDeadlineMs: milliseconds("DOCKET_PAYMENT_DEADLINE", { fallback: 30 * 60_000 }),
  /** Limits of one import: rows, bytes after decompression, and time. */
  importMaxRows: integer("DOCKET_IMPORT_MAX_ROWS", { fallback: orderDefaults.importLimits.rows, min: 1 }),
  importMaxBytes: integer("DOCKET_IMPORT_MAX_BYTES", { fallback: orderDefaults.importLimits.bytes, min: 1024 }),
  importMaxMs: milliseconds("DOCKET_IMPORT_MAX_TIME", { fallback: orderDefaults.importLimits.ms }),
  /** Delay between steps of a sandbox payment. */
  sandboxDelayMs: milliseconds("DOCKET_SANDBOX_DELAY", { fallback: 20 }),
  /** Delay of the sandbox's late payments after the expiry. */
  sandboxLateMs: milliseconds("DOCKET_SANDBOX_LATE", { fallback: 1000 }),
  /** Delay between stages of a sandbox parcel. */
  sandboxStepMs: milliseconds("DOCKET_SANDBOX_CARRIER_STEP", { fallback: 1500 }),
  logLevel: oneOf("DOCKET_LOG_LEVEL", ["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
    fallback: "info",
  }),
  /** How long requests are still served after SIGTERM, so that load balancers can react. */
  drainWindowMs: milliseconds("DOCKET_DRAIN_WINDOW", { fallback: 0 }),
  /** Total time for calls and streams to end on shutdown. */
  drainBudgetMs: milliseconds("DOCKET_DRAIN_BUDGET", { fallback: 15_000 }),
  /** Largest request body that is read as a whole. */
  maxBodyBytes: integer("DOCKET_MAX_BODY_BYTES", { fallback: 4 * 1024 * 1024, min: 1024 }),
  /** See `ServerLimits` for this and the next ones. */
  maxConnections: integer("DOCKET_MAX_CONNECTIONS", { fallback: defaultServerLimits.connections, min: 1 }),
  maxConnectionsPerAddress: integer("DOCKET_MAX_CONNECTIONS_PER_ADDRESS", {
    fallback: defaultServerLimits.connectionsPerAddress,
    min: 1,
  }),
  maxStreamsPerConnection: integer("DOCKET_MAX_STREAMS_PER_CONNECTION", {
    fallback: defaultServerLimits.streamsPerConnection,
    min: 1,
  }),
  minBodyRate: integer("DOCKET_MIN_BODY_RATE", { fallback: defaultServerLimits.minBytesPerSecond }),
  bodyTimeoutMs: milliseconds("DOCKET_BODY_TIMEOUT", { fallback: defaultServerLimits.bodyTimeoutMs }),
  maxBufferedBytes: integer("DOCKET_MAX_BUFFERED_BYTES", { fallback: defaultServerLimits.bufferedBytes, min: 1024 }),
  streamIdleMs: milliseconds("DOCKET_STREAM_IDLE_TIMEOUT", { fallback: defaultServerLimits.idleMs }),
  stallMs: milliseconds("DOCKET_STALL_TIMEOUT", { fallback: defaultServerLimits.stallMs }),
  lingerMs: milliseconds("DOCKET_LINGER_TIMEOUT", { fallback: defaultServerLimits.lingerMs }),
  lingerBytes: integer("DOCKET_MAX_LINGER_BYTES", { fallback: defaultServerLimits.lingerBytes }),
  /** Age at which gRPC connections are closed, so that clients find new servers. */
  grpcConnectionAgeMs: milliseconds("DOCKET_GRPC_CONNECTION_AGE", { fallback: 2 * 60 * 60_000 }),
  /** Comma-separated networks of trusted proxies in front of the ports. */
  trustedProxies: networks("DOCKET_TRUSTED_PROXIES", { fallback: parseNetworks([]) }),
  /** Header with the client address that these proxies set. */
  forwardedHeader: oneOf("DOCKET_FORWARDED_HEADER", ["x-forwarded-for", "forwarded"], { fallback: "x-forwarded-for" }),
  /**
   * Failed authentications per client address and minute, beyond which credentials are rejected without a lookup. 0: no
   * limit, here and below.
   */
  failedAuthLimit: integer("DOCKET_FAILED_AUTH_LIMIT", { fallback: 300 }),
  /** Requests per minute. */
  keyRateLimit: integer("DOCKET_RATE_LIMIT_PER_KEY", { fallback: 600_000 }),
  tenantRateLimit: integer("DOCKET_RATE_LIMIT_PER_TENANT", { fallback: 1_200_000 }),
  /** `docket.order.v1.OrderService/ExportOrders=10`, comma-separated: requests per minute of one key to that method. */
  methodRateLimits: counts("DOCKET_RATE_LIMIT_PER_METHOD", { fallback: new Map() }),
  /** Open streams. */
  keyStreamLimit: integer("DOCKET_MAX_STREAMS_PER_KEY", { fallback: 5000 }),
  tenantStreamLimit: integer("DOCKET_MAX_STREAMS_PER_TENANT", { fallback: 10_000 }),
  /** Most messages, list elements and map entries per request message. */
  maxRequestElements: integer("DOCKET_MAX_REQUEST_ELEMENTS", { fallback: 100_000, min: 1000 }),
  /** Most bytes that requests are decompressed to concurrently. */
  maxDecodingBytes: integer("DOCKET_MAX_DECODING_BYTES", { fallback: 256 * 1024 * 1024, min: 1024 * 1024 }),
};

export type HostConfig = ConfigOf<typeof settings> & {
  /** Parsed from `services`. */
  readonly targets: ReadonlySet<Target>;
};

/** @throws ConfigError with every invalid variable */
export function readHostConfig(environment: Environment): HostConfig {
  const config = readConfig(environment, settings);
  const jwt = [config.jwtIssuer, config.jwtAudience, config.jwtKeysUrl].filter((value) => value !== undefined);
  if (jwt.length !== 0 && jwt.length !== 3) {
    throw new ConfigError([
      "DOCKET_JWT_ISSUER, DOCKET_JWT_AUDIENCE and DOCKET_JWT_KEYS_URL go together: set all or none",
    ]);
  }
  const hasTls = config.tlsCertFile !== undefined;
  if (hasTls !== (config.tlsKeyFile !== undefined) || (config.tlsClientCaFile !== undefined && !hasTls)) {
    throw new ConfigError([
      "DOCKET_TLS_CERT_FILE and DOCKET_TLS_KEY_FILE go together, and DOCKET_TLS_CLIENT_CA_FILE needs both",
    ]);
  }
  const keysUrl = config.jwtKeysUrl === undefined ? undefined : new URL(config.jwtKeysUrl);
  if (keysUrl?.protocol === "http:" && !isLoopback(keysUrl.hostname)) {
    throw new ConfigError([
      "DOCKET_JWT_KEYS_URL must be https: over http anyone on the way could replace the keys (http only on loopback)",
    ]);
  }
  return { ...config, targets: targetsFrom(config) };
}

/** @throws ConfigError if settings needed to reach other processes are missing */
function targetsFrom({ services, serviceAddresses, serviceSecret, publicUrl }: ConfigOf<typeof settings>) {
  const targets = targetsOf(services);
  if ("unknown" in targets) {
    throw new ConfigError([`DOCKET_SERVICES names ${targets.unknown}; it may name all, ${targetNames.join(", ")}`]);
  }
  const problems: string[] = [];
  const remote = serviceNames.filter((name) => !targets.has(name));
  const missing = remote.filter((name) => !serviceAddresses.has(name));
  if (missing.length > 0) {
    problems.push(
      `DOCKET_SERVICE_ADDRESSES must give the addresses of the services that other processes run, such as ${missing.map((name) => `${name}=host:port`).join(",")}`,
    );
  }
  if (remote.length > 0 && serviceSecret === undefined) {
    problems.push("DOCKET_SERVICE_SECRET is required where services run in several processes, the same in each");
  }
  if (!targets.has("gateway") && publicUrl === undefined && (targets.has("payment") || targets.has("logistics"))) {
    problems.push(
      "DOCKET_PUBLIC_URL is required where payment or logistics run without the gateway: it is reached there",
    );
  }
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return targets;
}
