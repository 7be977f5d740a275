import { setTimeout as sleep } from "node:timers/promises";
import { createHttpHandler, type HttpHandler } from "../http-server.ts";
import { readCertificate } from "./certificates.ts";
import type { Config } from "./config.ts";
import { readApi } from "./descriptor-set.ts";
import { documentsOf } from "./documents.ts";
import { type Listener, listen } from "./listener.ts";
import { type Operations, openOperations } from "./operations.ts";
import { readOptionsFile } from "./options-file.ts";
import { openPool, type Pool } from "./pool.ts";
import { forwardTo } from "./upstream.ts";
import { watchFiles } from "./watch.ts";

/** The running program. Disposing stops it: no new connections, calls that run may end, for ten seconds. */
export interface Program extends AsyncDisposable {
  readonly url: string;
  /** Of the operations port, where there is one. */
  readonly opsUrl: string | undefined;
  /** Reads every file anew. Where one is wrong, what was served goes on being served. Calls that run are not touched. */
  reload(): void;
}

const lookupMs = 3000;

/** Serves by the configuration. @throws ProgramError where a file is wrong, and where a port cannot be had. */
export async function serve(config: Config, log: (line: string) => void): Promise<Program> {
  const shutdown = new AbortController();
  const onTrouble = seldom((reason) => log(`the upstream cannot be reached: ${reason}`));
  await using opened = new AsyncDisposableStack();
  const files = filesOf(config);
  // Before the files are read, so that no change can fall in between.
  if (config.watch) opened.use(watchFiles(files, () => reload()));
  const pool = opened.use(openPool(config.upstreams, { ...config.pool, onTrouble }));
  let handler = load(config, pool, shutdown.signal, log, onTrouble);
  let listener: Listener | undefined;
  let operations: Operations | undefined;
  const reload = (): void => {
    try {
      const renewed = config.certificate && readCertificate(config.certificate);
      handler = load(config, pool, shutdown.signal, log, onTrouble);
      if (renewed !== undefined) listener?.renew(renewed);
      log(`reloaded ${files.join(", ")}`);
      operations?.reloaded(true);
    } catch (error) {
      log(`what was served before goes on being served: ${error instanceof Error ? error.message : String(error)}`);
      operations?.reloaded(false);
    }
  };

  // Whoever calls at once finds the upstream's addresses, unless looking them up takes long.
  await Promise.race([pool.opened, sleep(lookupMs, undefined, { ref: false })]);
  const { host, port, opsPort } = config;
  if (opsPort !== undefined) operations = opened.use(await openOperations(pool, { host, port: opsPort }));
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
  listener = opened.use(await listen({ host, port, certificate, handler: front, onCut: () => shutdown.abort() }));
  opened.defer(() => operations?.drain());

  const resources = opened.move();
  return {
    url: listener.url,
    opsUrl: operations?.url,
    reload,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function filesOf({ descriptorSets, optionsFile, certificate }: Config): string[] {
  return [
    ...descriptorSets,
    ...(optionsFile === undefined ? [] : [optionsFile]),
    ...(certificate === undefined ? [] : [certificate.certFile, certificate.keyFile]),
  ];
}

/** Passes on what differs from what came before, and every ten seconds what does not. */
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

function load(
  config: Config,
  pool: Pool,
  shutdownSignal: AbortSignal,
  log: (line: string) => void,
  onTrouble: (reason: string) => void,
): HttpHandler {
  const { skipInvalidRules = false, ...options } =
    config.optionsFile === undefined ? {} : readOptionsFile(config.optionsFile);
  const { registry, skipped } = readApi(config.descriptorSets, {
    skipInvalidRules: skipInvalidRules || config.skipInvalidRules,
  });
  for (const { message } of skipped) log(`left out: ${message}`);
  const services = [...registry].filter((type) => type.kind === "service");
  return createHttpHandler({
    ...options,
    specs: services.map((service) => forwardTo(pool, service, onTrouble)),
    registry,
    openapi: documentsOf(registry, options),
    shutdownSignal,
    onError: (error, { method, url }) => {
      log(`${method} ${url?.split("?", 1)[0]}: ${error instanceof Error ? error.message : String(error)}`);
    },
  });
}
