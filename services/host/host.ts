import { randomBytes } from "node:crypto";
import { createContextValues } from "@connectrpc/connect";
import { collectDefaultMetrics, Registry } from "prom-client";
import { clientAddressOf, isLoopback } from "../../gateway/http/client-address.ts";
import { createDecodeBudget } from "../../gateway/http/decode-budget.ts";
import { listenHttp } from "../../gateway/http/listener.ts";
import { defaultRequestHeaders } from "../../gateway/http/metadata.ts";
import { createRequestMeter } from "../../gateway/http/request-meter.ts";
import { defaultServerLimits, type ServerLimits } from "../../gateway/http/server-limits.ts";
import { createHttpHandler } from "../../gateway/http-handler.ts";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { readOpenapi } from "../openapi-documents.ts";
import { createDenialLog, type Denial } from "../runtime/audit/denial-log.ts";
import type { Authenticate } from "../runtime/auth/authenticate.ts";
import { createInProcessBus } from "../runtime/bus/in-process.ts";
import { createLocalTransport } from "../runtime/call/local-transport.ts";
import { createServiceClient } from "../runtime/call/service-client.ts";
import { clientAddressKey } from "../runtime/context-values.ts";
import type { OnStatement } from "../runtime/db/statement.ts";
import { createGrpcServer } from "../runtime/grpc/server.ts";
import { createAdmission } from "../runtime/interceptors/admission.ts";
import { createInterceptors } from "../runtime/interceptors/interceptors.ts";
import { createCheckRunner } from "../runtime/process/check-runner.ts";
import { createLeakCheck } from "../runtime/process/leak-watch.ts";
import { createLifecycle, type Lifecycle } from "../runtime/process/lifecycle.ts";
import { createOperationsServer } from "../runtime/process/operations-server.ts";
import { createLogger } from "../runtime/telemetry/log.ts";
import { createRpcMetrics } from "../runtime/telemetry/rpc-metrics.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { createAuthentication } from "./authenticate.ts";
import { openCertificates } from "./certificates.ts";
import type { HostConfig } from "./config.ts";
import { type DataFolder, openDataFolder } from "./data-folder.ts";
import { databaseUrlOf } from "./database-urls.ts";
import { rateLimitsOf } from "./request-limits.ts";
import { createServices } from "./services.ts";

/** A running Docket, all of it in this process. Disposing it drains it. */
export interface Host extends AsyncDisposable {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  readonly opsUrl: string;
  readonly adminKey: string;
  /** Whether the admin key was made by this start. */
  readonly adminKeyIsNew: boolean;
  readonly lifecycle: Lifecycle;
}

/** What a benchmark looks at. */
export interface HostObserver {
  /** Told of every statement of every service. */
  readonly onStatement?: OnStatement;
}

/** In which payment providers and carriers sign what they send. */
const signatureHeaders = [
  "webhook-*",
  "stripe-signature",
  "wechatpay-*",
  "paypal-*",
  "x-hmac-signature*",
  "aftership-*",
];

/** Starts every service on the configured databases and serves them on every wire. Resolves when it is ready. */
export async function startHost(config: HostConfig, { onStatement }: HostObserver = {}): Promise<Host> {
  const clock = systemClock;
  const log = createLogger({ level: config.logLevel, name: "docket" });
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const lifecycle = createLifecycle({ log, clock, windowMs: config.drainWindowMs, budgetMs: config.drainBudgetMs });
  const folder = await openDataFolder(config.dataDir);
  if (folder.exposed.length > 0) {
    log.warn({ paths: folder.exposed }, "other users may read the data: these paths belong to another user");
  }
  const certificates = openCertificates(config, log);
  if (certificates === undefined && !isLoopback(config.host)) {
    log.warn(
      { host: config.host },
      "API keys travel unencrypted: set DOCKET_TLS_CERT_FILE, or put a proxy with TLS in front of the ports",
    );
  }
  const { adminKey, adminKeyIsNew, sandboxSecret } = await readSecrets(folder, config);

  // The port comes first: the sandbox's callbacks need to know it.
  const { host, trustedProxies } = config;
  const forwarding = { trustedProxies, header: config.forwardedHeader };
  const limits = serverLimitsOf(config);
  const meter = createRequestMeter(limits);
  const http = await listenHttp({
    host,
    port: config.httpPort,
    certificate: certificates?.current,
    limits,
    trustedProxies,
    onRefused: (refused) => log.warn(refused, "HTTP connections are refused: a limit is reached"),
  });
  const httpUrl = `${certificates === undefined ? "http" : "https"}://${host}:${http.port}`;

  const around = {
    authenticate: (...credential: Parameters<Authenticate>) => authenticate(...credential),
    metrics: createRpcMetrics(registry),
    log,
    clock,
    rateLimits: rateLimitsOf(config),
    onDenied: (denial: Denial) => denials.report(denial),
  };
  const interceptors = createInterceptors(around);
  const admit = createAdmission(around);
  const local = createLocalTransport({ interceptors });
  const operations = createServiceClient(ApiKeyService, local.transport, { subject: "gateway" });
  const authenticate = createAuthentication(operations, config);
  const audit = createServiceClient(AuditService, local.transport, { subject: "gateway" });
  const denials = createDenialLog({
    log,
    send: ({ tenant, event }) => audit.for(tenant).recordDenial({ auditEvent: event }),
  });
  const bus = createInProcessBus({ log });
  const services = await createServices({
    config,
    databaseUrl: (service) => databaseUrlOf(service, folder, config.databaseUrl),
    publicUrl: config.publicUrl ?? httpUrl,
    adminKey,
    sandboxSecret,
    bus,
    local,
    clock,
    log,
    onStatement,
  });
  const specs = services.flatMap((service) => service.specs);

  const decodeBudget = createDecodeBudget({ maxBytes: config.maxDecodingBytes });
  http.serve(
    createHttpHandler({
      specs,
      admit,
      interceptors,
      errorDomain: "docket",
      requestHeaders: [...defaultRequestHeaders, ...signatureHeaders],
      maxBodyBytes: config.maxBodyBytes,
      meter,
      stallMs: limits.stallMs,
      contextValues: ({ socket, headers }) => {
        const forwarded = headers[forwarding.header]?.toString();
        return createContextValues().set(
          clientAddressKey,
          clientAddressOf(socket.remoteAddress ?? "", forwarded, forwarding),
        );
      },
      maxElements: config.maxRequestElements,
      decodeBudget,
      shutdownSignal: http.overdue,
      cors: { origins: config.corsOrigins.includes("*") ? "*" : config.corsOrigins },
      ...(config.docs && { openapi: await readOpenapi() }),
      // A client that left is no fault of ours.
      onError: (err, request) => log[request.destroyed ? "debug" : "error"]({ err }, "a request failed in the gateway"),
    }),
  );
  const grpc = createGrpcServer({
    specs,
    admit,
    interceptors,
    log,
    certificate: certificates?.current,
    maxRequestBytes: config.maxBodyBytes,
    reflection: config.reflection,
    maxRequestElements: config.maxRequestElements,
    decompressionBudget: decodeBudget,
    limits,
    meter,
    forwarding,
    maxConnectionAgeMs: config.grpcConnectionAgeMs,
  });
  const grpcPort = await grpc.listen({ host, port: config.grpcPort });
  const checks = createCheckRunner({ leaks: createLeakCheck({ registry }) });
  const ops = createOperationsServer({ lifecycle, checks, registry, clock, limits });
  const opsPort = await ops.listen({ host: config.opsHost, port: config.opsPort });

  certificates?.onChange((certificate) => {
    http.renew(certificate);
    grpc.renew(certificate);
  });
  lifecycle.onState((state) => {
    grpc.setServing(state === "ready");
    if (state === "draining") {
      http.startDraining();
    }
  });
  lifecycle.onDrain("close", "certificates", async () => certificates?.[Symbol.dispose]());
  lifecycle.onDrain("close", "http", (budgetMs) => http.close(budgetMs));
  lifecycle.onDrain("close", "grpc", (budgetMs) => grpc.close(budgetMs));
  lifecycle.onDrain("release", "audit trail", async () => denials[Symbol.asyncDispose]());
  lifecycle.onDrain("release", "bus", async () => bus[Symbol.asyncDispose]());
  lifecycle.onDrain("telemetry", "probes", async () => {
    checks[Symbol.dispose]();
    await ops[Symbol.asyncDispose]();
  });
  for (const service of services) {
    checks.add(service.checks);
    lifecycle.onDrain("pause", service.name, () => service.drain());
    lifecycle.onDrain("release", service.name, async () => service[Symbol.asyncDispose]());
    await service.start();
  }
  checks.start();
  lifecycle.ready();

  return {
    httpUrl,
    grpcAddress: `${config.host}:${grpcPort}`,
    opsUrl: `http://${config.opsHost}:${opsPort}`,
    adminKey,
    adminKeyIsNew,
    lifecycle,
    [Symbol.asyncDispose]: () => lifecycle.shutdown("disposed"),
  };
}

function serverLimitsOf(config: HostConfig): ServerLimits {
  // A single request must fit, whatever the settings.
  const largest = config.maxBodyBytes + 1024;
  return {
    ...defaultServerLimits,
    connections: config.maxConnections,
    connectionsPerAddress: config.maxConnectionsPerAddress,
    streamsPerConnection: config.maxStreamsPerConnection,
    minBytesPerSecond: config.minBodyRate,
    bodyTimeoutMs: config.bodyTimeoutMs,
    bufferedBytes: Math.max(config.maxBufferedBytes, largest),
    bufferedBytesPerConnection: Math.max(config.maxBufferedBytes / 4, largest),
    idleMs: config.streamIdleMs,
    stallMs: config.stallMs,
    lingerMs: config.lingerMs,
    lingerBytes: config.lingerBytes,
  };
}

async function readSecrets(folder: DataFolder, config: HostConfig) {
  const kept = config.adminKey === undefined ? await folder.secret("admin-key", newAdminKey) : undefined;
  return {
    adminKey: config.adminKey ?? kept?.value ?? "",
    adminKeyIsNew: kept?.isNew ?? false,
    sandboxSecret: (await folder.secret("sandbox-secret", newSigningSecret)).value,
  };
}

function newAdminKey(): string {
  return `dk_${randomBytes(32).toString("base64url")}`;
}

/** In the form of Standard Webhooks. */
function newSigningSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}
