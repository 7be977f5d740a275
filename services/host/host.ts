import { collectDefaultMetrics, Registry } from "prom-client";
import { isLoopback } from "../../gateway/http/client-address.ts";
import { createDecodeBudget } from "../../gateway/http/decode-budget.ts";
import { listenHttp } from "../../gateway/http/listener.ts";
import { createRequestMeter } from "../../gateway/http/request-meter.ts";
import { ApiKeyService } from "../../gen/docket/operations/v1/api_key_service_pb.js";
import { AuditService } from "../../gen/docket/operations/v1/audit_service_pb.js";
import { createDenialLog, type Denial } from "../runtime/audit/denial-log.ts";
import type { Authenticate } from "../runtime/auth/authenticate.ts";
import { createServiceTokens } from "../runtime/auth/service-tokens.ts";
import { createInProcessBus } from "../runtime/bus/in-process.ts";
import { createRemoteBus, eventBusRoutes } from "../runtime/bus/remote-bus.ts";
import { forwardService } from "../runtime/call/forward.ts";
import { createLocalTransport } from "../runtime/call/local-transport.ts";
import { createServiceClient } from "../runtime/call/service-client.ts";
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
import { openDataFolder } from "./data-folder.ts";
import { databaseUrlOf } from "./database-urls.ts";
import { definitions } from "./definitions.ts";
import { forwardingOf, serveHttp } from "./http-port.ts";
import { createMesh } from "./mesh.ts";
import { rateLimitsOf } from "./request-limits.ts";
import { readSecrets } from "./secrets.ts";
import { serverLimitsOf } from "./server-limits.ts";
import { serviceNames } from "./targets.ts";

/** A running host: the targets of its configuration, in this process. Disposing it drains it. */
export interface Host extends AsyncDisposable {
  /** Empty where the gateway is not a target: then there is no HTTP port. */
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
  /** Called with every statement of every service. */
  readonly onStatement?: OnStatement;
}

/**
 * Starts the configured targets on the configured databases. Services of other processes are reached at their addresses;
 * the gateway serves every service on every wire, those of other processes by forwarding. Resolves when it is ready.
 */
export async function startHost(config: HostConfig, { onStatement }: HostObserver = {}): Promise<Host> {
  const { host, targets } = config;
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
  if (certificates === undefined && !isLoopback(host)) {
    log.warn(
      { host },
      "API keys travel unencrypted: set DOCKET_TLS_CERT_FILE, or put a proxy with TLS in front of the ports",
    );
  }
  const { adminKey, adminKeyIsNew, sandboxSecret } = await readSecrets(folder, config, targets);

  const limits = serverLimitsOf(config);
  const meter = createRequestMeter(limits);
  // The port comes first: the sandbox's callbacks need to know it.
  const http = targets.has("gateway")
    ? await listenHttp({
        host,
        port: config.httpPort,
        certificate: certificates?.current,
        limits,
        trustedProxies: config.trustedProxies,
        onRefused: (refused) => log.warn(refused, "HTTP connections are refused: a limit is reached"),
      })
    : undefined;
  const httpUrl = http === undefined ? "" : `${certificates === undefined ? "http" : "https"}://${host}:${http.port}`;

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
  const tokens =
    config.serviceSecret === undefined ? undefined : createServiceTokens({ secret: config.serviceSecret, clock });
  const mesh = createMesh({ local, targets, addresses: config.serviceAddresses, tokens });
  const operations = createServiceClient(ApiKeyService, mesh.transport, { subject: "gateway" });
  const authenticate = createAuthentication(operations, config, tokens?.verify);
  const audit = createServiceClient(AuditService, mesh.transport, { subject: "gateway" });
  const denials = createDenialLog({
    log,
    send: ({ tenant, event }) => audit.for(tenant).recordDenial({ auditEvent: event }),
  });
  const localBus = createInProcessBus({ log });
  const peers = mesh.remotes.map(({ transport }) => transport);
  const bus = peers.length === 0 ? localBus : createRemoteBus({ local: localBus, peers, subject: "bus" });
  const shared = { bus, clock, log, statementTimeoutMs: config.queryTimeoutMs, ...(onStatement && { onStatement }) };
  const services = await Promise.all(
    serviceNames
      .filter((name) => targets.has(name))
      .map((name) =>
        definitions[name].create({
          config,
          databaseUrl: databaseUrlOf(name, folder, config.databaseUrl),
          adminKey,
          sandboxSecret,
          publicUrl: config.publicUrl ?? httpUrl,
          transport: mesh.transport,
          shared,
        }),
      ),
  );
  for (const service of services) {
    local.mount(service.specs);
  }
  const own = services.flatMap((service) => service.specs);
  const others = http === undefined ? [] : mesh.remotes;
  const specs = [
    ...own,
    ...others.flatMap(({ services, transport }) =>
      services.map((service) => forwardService(service, transport, config.forwardedHeader)),
    ),
  ];

  const decodeBudget = createDecodeBudget({ maxBytes: config.maxDecodingBytes });
  if (http !== undefined) {
    await serveHttp(http, { config, specs, admit, interceptors, log, meter, decodeBudget });
  }
  const grpc = createGrpcServer({
    specs: peers.length > 0 && services.length > 0 ? [...specs, eventBusRoutes(localBus)] : specs,
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
    forwarding: forwardingOf(config),
    maxConnectionAgeMs: config.grpcConnectionAgeMs,
  });
  const grpcPort = await grpc.listen({ host, port: config.grpcPort });
  const checks = createCheckRunner({ leaks: createLeakCheck({ registry }) });
  const ops = createOperationsServer({ lifecycle, checks, registry, clock, limits });
  const opsPort = await ops.listen({ host: config.opsHost, port: config.opsPort });

  certificates?.onChange((certificate) => {
    http?.renew(certificate);
    grpc.renew(certificate);
  });
  lifecycle.onState((state) => {
    grpc.setServing(state === "ready");
    if (state === "draining") {
      http?.startDraining();
    }
  });
  lifecycle.onDrain("close", "certificates", async () => certificates?.[Symbol.dispose]());
  lifecycle.onDrain("close", "http", async (budgetMs) => http?.close(budgetMs));
  lifecycle.onDrain("close", "grpc", (budgetMs) => grpc.close(budgetMs));
  lifecycle.onDrain("release", "audit trail", async () => denials[Symbol.asyncDispose]());
  lifecycle.onDrain("release", "bus", async () => bus[Symbol.asyncDispose]());
  lifecycle.onDrain("release", "connections", async () => mesh[Symbol.asyncDispose]());
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
    grpcAddress: `${host}:${grpcPort}`,
    opsUrl: `http://${config.opsHost}:${opsPort}`,
    adminKey,
    adminKeyIsNew,
    lifecycle,
    [Symbol.asyncDispose]: () => lifecycle.shutdown("disposed"),
  };
}
