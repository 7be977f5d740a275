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

/** Everything about a standalone Docket that its environment decides. */
const settings = {
  /** What this process runs: `all`, or some of `order`, `payment`, `logistics`, `inventory`, `operations`, `gateway`. */
  services: list("DOCKET_SERVICES", { fallback: ["all"] }),
  /** `order=host:port,payment=host:port`: the gRPC addresses of the services that other processes run. */
  serviceAddresses: entries("DOCKET_SERVICE_ADDRESSES", { fallback: new Map() }),
  /** Shared by all processes of an installation: with it services prove to each other who they are. */
  serviceSecret: secret("DOCKET_SERVICE_SECRET", { fallback: undefined, minLength: 32, maxLength: 512 }),
  /** What the sandboxes sign their callbacks with. Unset: made at the first start and kept in the data folder. */
  sandboxSecret: secret("DOCKET_SANDBOX_SECRET", { fallback: undefined, minLength: 32, maxLength: 512 }),
  /** REST, Connect, gRPC-Web, the OpenAPI documents. 0 is any free port; so with the others. */
  httpPort: port("DOCKET_HTTP_PORT", { fallback: 8080 }),
  /** Native gRPC. */
  grpcPort: port("DOCKET_GRPC_PORT", { fallback: 9090 }),
  /** Probes and metrics. */
  opsPort: port("DOCKET_OPS_PORT", { fallback: 8081 }),
  /** The address that the HTTP and gRPC ports are bound to; `0.0.0.0` for every one of the machine. */
  host: text("DOCKET_HOST", { fallback: "127.0.0.1" }),
  /** The address of probes and metrics, which anyone who reaches them may read. */
  opsHost: text("DOCKET_OPS_HOST", { fallback: "127.0.0.1" }),
  /** PEM files: with the first two, the HTTP and gRPC ports speak TLS; with the third, clients must present a certificate. */
  tlsCertFile: text("DOCKET_TLS_CERT_FILE", { fallback: undefined }),
  tlsKeyFile: text("DOCKET_TLS_KEY_FILE", { fallback: undefined }),
  tlsClientCaFile: text("DOCKET_TLS_CLIENT_CA_FILE", { fallback: undefined }),
  /** Whether `grpc.reflection` is served. */
  reflection: flag("DOCKET_REFLECTION", { fallback: true }),
  /** Whether the OpenAPI documents and their page are served. */
  docs: flag("DOCKET_DOCS", { fallback: true }),
  /** Databases and secrets. */
  dataDir: text("DOCKET_DATA_DIR", { fallback: ".docket" }),
  /** `mysql://user:password@host:port/prefix`: each service has a schema whose name begins with the prefix. Unset: SQLite in the data folder. */
  databaseUrl: url("DOCKET_DATABASE_URL", ["mysql"], { fallback: undefined }),
  /** Unset: made at the first start, shown once and kept in the data folder. */
  adminKey: secret("DOCKET_ADMIN_KEY", { fallback: undefined, minLength: 32, maxLength: 512 }),
  /** JWTs of this issuer are accepted beside API keys, when all three are set. */
  jwtIssuer: text("DOCKET_JWT_ISSUER", { fallback: undefined }),
  jwtAudience: text("DOCKET_JWT_AUDIENCE", { fallback: undefined }),
  /** Where the issuer publishes its keys (a JWKS). */
  jwtKeysUrl: url("DOCKET_JWT_KEYS_URL", ["https", "http"], { fallback: undefined }),
  /** JWTs that live longer are refused. */
  jwtMaxLifetimeMs: milliseconds("DOCKET_JWT_MAX_LIFETIME", { fallback: 24 * 3_600_000 }),
  /** Whether the issuer may grant `platform.admin`, which reaches the keys of every tenant. */
  jwtPlatformAdmin: flag("DOCKET_JWT_PLATFORM_ADMIN", { fallback: false }),
  /** How others reach the HTTP port, for links and the sandbox's callbacks. Unset: the address that it is bound to. */
  publicUrl: url("DOCKET_PUBLIC_URL", ["http", "https"], { fallback: undefined }),
  /** Browsers' origins that may call, between commas; `*` for all. */
  corsOrigins: list("DOCKET_CORS_ORIGINS", { fallback: ["*"] }),
  /** How long the database may take for one SELECT that a caller can make long. */
  queryTimeoutMs: milliseconds("DOCKET_QUERY_TIMEOUT", { fallback: 10_000, min: 1, max: 24 * 3_600_000 }),
  /** How long the audit trail is kept. */
  auditRetentionMs: milliseconds("DOCKET_AUDIT_RETENTION", { fallback: 365 * 24 * 3_600_000 }),
  /** How long orders are kept after they have ended. Unset: for ever. */
  orderRetentionMs: milliseconds("DOCKET_ORDER_RETENTION", { fallback: undefined }),
  /** See `RetentionSettings` for this and the next ones. */
  deadLetterRetentionMs: milliseconds("DOCKET_DEAD_LETTER_RETENTION", { fallback: defaultRetention.deadLettersMs }),
  sagaRetentionMs: milliseconds("DOCKET_SAGA_RETENTION", { fallback: defaultRetention.sagasMs }),
  callbackRetentionMs: milliseconds("DOCKET_CALLBACK_RETENTION", { fallback: defaultRetention.callbacksMs }),
  deliveryRetentionMs: milliseconds("DOCKET_DELIVERY_RETENTION", { fallback: defaultRetention.deliveriesMs }),
  idempotencyRetentionMs: milliseconds("DOCKET_IDEMPOTENCY_RETENTION", {
    fallback: defaultRetention.idempotencyKeysMs,
    // So long callers may repeat a request.
    min: 24 * 3_600_000,
  }),
  outboxRetentionMs: milliseconds("DOCKET_OUTBOX_RETENTION", { fallback: defaultRetention.outboxMs }),
  inboxRetentionMs: milliseconds("DOCKET_INBOX_RETENTION", { fallback: defaultRetention.inboxMs }),
  feedRetentionMs: milliseconds("DOCKET_FEED_RETENTION", { fallback: orderDefaults.feedRetentionMs }),
  sandboxRetentionMs: milliseconds("DOCKET_SANDBOX_RETENTION", { fallback: defaultRetention.sandboxMs }),
  /** How often services look for what is too old. */
  retentionIntervalMs: milliseconds("DOCKET_RETENTION_INTERVAL", { fallback: defaultRetention.everyMs }),
  /** How long a shopper has to pay. */
  paymentDeadlineMs: milliseconds("DOCKET_PAYMENT_DEADLINE", { fallback: 30 * 60_000 }),
  /** How much one import may take: rows, bytes after decompression, and time. */
  importMaxRows: integer("DOCKET_IMPORT_MAX_ROWS", { fallback: orderDefaults.importLimits.rows, min: 1 }),
  importMaxBytes: integer("DOCKET_IMPORT_MAX_BYTES", { fallback: orderDefaults.importLimits.bytes, min: 1024 }),
  importMaxMs: milliseconds("DOCKET_IMPORT_MAX_TIME", { fallback: orderDefaults.importLimits.ms }),
  /** How long the sandbox takes from one step of a payment to the next. */
  sandboxDelayMs: milliseconds("DOCKET_SANDBOX_DELAY", { fallback: 20 }),
  /** How long after its expiry the sandbox pays what is to be paid late. */
  sandboxLateMs: milliseconds("DOCKET_SANDBOX_LATE", { fallback: 1000 }),
  /** How long a sandbox parcel takes from one stage to the next. */
  sandboxStepMs: milliseconds("DOCKET_SANDBOX_CARRIER_STEP", { fallback: 1500 }),
  logLevel: oneOf("DOCKET_LOG_LEVEL", ["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
    fallback: "info",
  }),
  /** For how long requests are still served after SIGTERM, so that a load balancer can notice. */
  drainWindowMs: milliseconds("DOCKET_DRAIN_WINDOW", { fallback: 0 }),
  /** Calls and streams on the way out may take this long in all. */
  drainBudgetMs: milliseconds("DOCKET_DRAIN_BUDGET", { fallback: 15_000 }),
  /** The largest request that is read whole. */
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
  /** After which gRPC connections are renewed, so that clients find new servers. */
  grpcConnectionAgeMs: milliseconds("DOCKET_GRPC_CONNECTION_AGE", { fallback: 2 * 60 * 60_000 }),
  /** Networks of the proxies in front of the ports, between commas. */
  trustedProxies: networks("DOCKET_TRUSTED_PROXIES", { fallback: parseNetworks([]) }),
  /** The header in which they name their client. */
  forwardedHeader: oneOf("DOCKET_FORWARDED_HEADER", ["x-forwarded-for", "forwarded"], { fallback: "x-forwarded-for" }),
  /** Wrong credentials of one client address a minute, after which further ones are refused unseen. 0: no limit; so with the next ones. */
  failedAuthLimit: integer("DOCKET_FAILED_AUTH_LIMIT", { fallback: 300 }),
  /** Requests a minute. */
  keyRateLimit: integer("DOCKET_RATE_LIMIT_PER_KEY", { fallback: 600_000 }),
  tenantRateLimit: integer("DOCKET_RATE_LIMIT_PER_TENANT", { fallback: 1_200_000 }),
  /** `docket.order.v1.OrderService/ExportOrders=10`, between commas: requests a minute of one key to that method. */
  methodRateLimits: counts("DOCKET_RATE_LIMIT_PER_METHOD", { fallback: new Map() }),
  /** Open streams. */
  keyStreamLimit: integer("DOCKET_MAX_STREAMS_PER_KEY", { fallback: 5000 }),
  tenantStreamLimit: integer("DOCKET_MAX_STREAMS_PER_TENANT", { fallback: 10_000 }),
  /** Most messages, list elements and map entries of one request message. */
  maxRequestElements: integer("DOCKET_MAX_REQUEST_ELEMENTS", { fallback: 100_000, min: 1000 }),
  /** Bytes that requests are being decompressed to at once. */
  maxDecodingBytes: integer("DOCKET_MAX_DECODING_BYTES", { fallback: 256 * 1024 * 1024, min: 1024 * 1024 }),
};

export type HostConfig = ConfigOf<typeof settings> & {
  /** What `services` names. */
  readonly targets: ReadonlySet<Target>;
};

/** @throws ConfigError naming every variable that cannot be used */
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

/** @throws ConfigError where the process does not know what it needs of others */
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
