import { setTimeout as sleep } from "node:timers/promises";
import { createReflectionServices } from "../../grpc/reflection.ts";
import { isLoopback } from "../../http/client-address.ts";
import { createDecodeBudget } from "../../http/limits/decode-budget.ts";
import { createRequestMeter, type RequestMeter } from "../../http/limits/request-meter.ts";
import { defaultServerLimits } from "../../http/limits/server-limits.ts";
import { type RefusedConnections, showRefused } from "../../http/listener/connections.ts";
import { type HttpHandler, type HttpListener, listenHttp } from "../../http/listener/listener.ts";
import { watchFiles } from "../../http/watch-files.ts";
import { createHttpHandler } from "../../http-handler.ts";
import { createMetrics } from "../../telemetry/create-metrics.ts";
import type { Telemetry } from "../../telemetry/start-telemetry.ts";
import type { Config } from "../cli/config.ts";
import { readApi } from "../cli/descriptor-set.ts";
import { type FileOptions, readOptionsFile } from "../cli/options-file.ts";
import { createSpanInterceptor, noteWire } from "../upstream/call-spans.ts";
import { createGrpcProxy } from "../upstream/grpc-proxy.ts";
import { openPool, type Pool } from "../upstream/pool.ts";
import { forwardTo } from "../upstream/upstream.ts";
import { pathsOf, readCertificate } from "./certificates.ts";
import { documentsOf } from "./documents.ts";
import { type Operations, openOperations } from "./operations.ts";
import { type PoolHealth, watchPool } from "./pool-health.ts";
import { readServiceConfigFile } from "./service-config.ts";

/**
 * The running program. Disposing stops it: new connections are refused, and calls in flight may finish within ten
 * seconds.
 */
export interface Program extends AsyncDisposable {
  readonly url: string;
  /** URL of the operations port, if there is one. */
  readonly opsUrl: string | undefined;
  /**
   * Reloads every file. If one is invalid, the previous configuration stays in use. Calls in flight are not affected.
   */
  reload(): void;
}

const lookupMs = 3000;
/** Grace period of calls in flight on shutdown, in milliseconds. */
const graceMs = 10_000;

/**
 * Serves the configuration, with one span per call if spans are exported. By default metrics are its own, and there are
 * no spans.
 *
 * @throws ProgramError if a file is invalid, or if a port is unavailable.
 */
export async function serve(
  config: Config,
  log: (line: string) => void,
  telemetry?: Pick<Telemetry, "metrics" | "exportsSpans">,
): Promise<Program> {
  const shutdown = new AbortController();
  const limits = { ...defaultServerLimits, ...optionsOf(config).limits };
  const meter = createRequestMeter(limits);
  const onFailure = seldom((reason) => log(`the upstream cannot be reached: ${reason}`));
  await using opened = new AsyncDisposableStack();
  let files = filesOf(config);
  // Watching starts before the files are read, so that no change is missed.
  const watch = (): Disposable | undefined => (config.watch ? watchFiles(files, () => reload()) : undefined);
  let watching = watch();
  opened.defer(() => watching?.[Symbol.dispose]());
  const pool = opened.use(openPool(config.upstreams, { ...config.pool, onFailure }));
  const health = opened.use(watchPool(pool));
  const isTraced = telemetry?.exportsSpans === true;
  const context = { pool, health, meter, shutdownSignal: shutdown.signal, log, onFailure, isTraced };
  let handler = load(config, context);
  let listener: HttpListener | undefined;
  let operations: Operations | undefined;
  const reload = (): void => {
    try {
      const named = filesOf(config);
      if (named.join("\0") !== files.join("\0")) {
        files = named;
        watching?.[Symbol.dispose]();
        watching = watch();
      }
      const renewed = config.certificate && readCertificate(config.certificate);
      handler = load(config, context);
      if (renewed !== undefined) listener?.renew(renewed);
      log(`reloaded ${files.join(", ")}`);
      operations?.reloaded(true);
    } catch (error) {
      log(
        `reloading failed, the previous configuration stays in use: ${error instanceof Error ? error.message : String(error)}`,
      );
      operations?.reloaded(false);
    }
  };

  // The first calls find the upstream's addresses, unless the lookup is slow.
  await Promise.race([pool.opened, sleep(lookupMs, undefined, { ref: false })]);
  const { host, port, opsPort } = config;
  if (opsPort !== undefined) {
    const metrics = telemetry?.metrics ?? (await createMetrics({ serviceName: "docket-gateway", environment: {} }));
    operations = opened.use(await openOperations(pool, { host, port: opsPort, limits, metrics }));
  }
  const front: HttpHandler = Object.assign(
    (...[request, response]: Parameters<HttpHandler>) => {
      operations?.count(request, response);
      handler(request, response);
    },
    {
      upgrade: (...args: Parameters<HttpHandler["upgrade"]>) => handler.upgrade(...args),
      shouldUpgrade: handler.shouldUpgrade,
    },
  );
  const certificate = config.certificate && readCertificate(config.certificate);
  const onRefused = (refused: RefusedConnections): void => log(showRefused(refused));
  const opening = await listenHttp({ host, port, certificate, limits, onRefused, http2WithoutTls: true });
  listener = opening;
  opening.overdue.addEventListener("abort", () => shutdown.abort());
  opened.defer(() => opening.close(graceMs));
  opening.serve(front);
  if (certificate === undefined && !isLoopback(host)) {
    log(`connections to ${host} are not encrypted: set --tls-cert and --tls-key, or use a proxy with TLS in front`);
  }
  opened.defer(() => operations?.drain());
  opened.defer(() => health.drain());

  const resources = opened.move();
  return {
    url: listener.url,
    opsUrl: operations?.url,
    reload,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function optionsOf({ optionsFile }: Config): FileOptions {
  return optionsFile === undefined ? {} : readOptionsFile(optionsFile);
}

function serviceConfigOf(config: Config): string | undefined {
  return config.serviceConfig ?? optionsOf(config).serviceConfig;
}

function filesOf(config: Config): string[] {
  const { descriptorSets, optionsFile, certificate } = config;
  const serviceConfig = serviceConfigOf(config);
  return [
    ...descriptorSets,
    ...(optionsFile === undefined ? [] : [optionsFile]),
    ...(serviceConfig === undefined ? [] : [serviceConfig]),
    ...(certificate === undefined ? [] : pathsOf(certificate)),
  ];
}

/** Reports changed reasons immediately, and repeated ones every ten seconds. */
function seldom(report: (reason: string) => void): (reason: string) => void {
  let last = "";
  let at = 0;
  return (reason) => {
    const now = performance.now();
    if (reason === last && now - at < 10_000) return;
    last = reason;
    at = now;
    report(reason);
  };
}

/** The state that persists across reloads. */
interface LoadContext {
  readonly pool: Pool;
  readonly health: PoolHealth;
  readonly meter: RequestMeter;
  readonly shutdownSignal: AbortSignal;
  readonly log: (line: string) => void;
  readonly onFailure: (reason: string) => void;
  readonly isTraced: boolean;
}

function load(config: Config, context: LoadContext): HttpHandler {
  const { pool, health, meter, shutdownSignal, log, onFailure, isTraced } = context;
  const { skipInvalidRules = false, limits, serviceConfig: _, maxDecodingBytes, ...options } = optionsOf(config);
  const serviceConfigPath = serviceConfigOf(config);
  const serviceConfig = serviceConfigPath === undefined ? undefined : readServiceConfigFile(serviceConfigPath);
  const { registry, skipped } = readApi(config.descriptorSets, {
    skipInvalidRules: skipInvalidRules || config.skipInvalidRules,
    serviceConfig,
    extendedTemplates: options.extendedTemplates,
  });
  for (const { message } of skipped) log(`skipped: ${message}`);
  const services = [...registry].filter((type) => type.kind === "service");
  const ofOurs = [health.serving(services), ...createReflectionServices(services)];
  const forwarded = services.filter(({ typeName }) => ofOurs.every(({ service }) => service.typeName !== typeName));
  const { maxBodyBytes, maxTimeoutMs, maxElements } = options;
  const forwardGrpc = createGrpcProxy(pool, {
    forwarded,
    local: ofOurs.map(({ service }) => service),
    ...{ maxBodyBytes, maxTimeoutMs, meter, shutdownSignal, onFailure, isTraced },
  });
  return createHttpHandler({
    ...options,
    // Elements can be counted only in decoded messages.
    ...(maxElements === undefined && { forwardGrpc }),
    ...(limits?.stallMs !== undefined && { stallMs: limits.stallMs }),
    // The descriptors already contain its rules.
    ...(serviceConfig !== undefined && { serviceConfig: { ...serviceConfig.config, rules: [] } }),
    ...(isTraced && { admit: noteWire, interceptors: [createSpanInterceptor()] }),
    meter,
    ...(maxDecodingBytes !== undefined && { decodeBudget: createDecodeBudget({ maxBytes: maxDecodingBytes }) }),
    specs: [...forwarded.map((service) => forwardTo(pool, service, onFailure)), ...ofOurs],
    registry,
    openapi: documentsOf(registry, options),
    shutdownSignal,
    onError: (error, { method, url }) => {
      log(`${method} ${url?.split("?", 1)[0]}: ${error instanceof Error ? error.message : String(error)}`);
    },
  });
}
