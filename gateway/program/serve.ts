import { readFileSync, unwatchFile, watchFile } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createFileRegistry, type FileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { stringify } from "yaml";
import { createHttpHandler, type HttpHandler } from "../http-server.ts";
import { createDocumentBuilder } from "../openapi/document.ts";
import { parseOptions } from "../openapi/options.ts";
import { routesOf } from "../routes.ts";
import type { Config } from "./config.ts";
import { openUpstream, type Upstream } from "./upstream.ts";

/** The running program. Disposing stops it: no new connections, calls that run may end, for ten seconds. */
export interface Program extends AsyncDisposable {
  readonly url: string;
  /** Reads the descriptor set anew. Where it is wrong, the one before goes on being served. */
  reload(): void;
}

const graceMs = 10_000;

/** Serves by the configuration. @throws where the descriptor set cannot be read or its annotations are wrong. */
export async function serve(config: Config, log: (line: string) => void): Promise<Program> {
  const upstream = openUpstream(config.upstreams, config);
  const shutdown = new AbortController();
  let handler = load(config, upstream, shutdown.signal, log);
  const reload = (): void => {
    try {
      handler = load(config, upstream, shutdown.signal, log);
      log(`reloaded ${config.descriptorSet}`);
    } catch (error) {
      log(`${config.descriptorSet} is not served: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  if (config.watch) watchFile(config.descriptorSet, { interval: 500 }, reload);
  const server = createServer((request, response) => handler(request, response));
  server.on("upgrade", (request, socket, head) => handler.upgrade(request, socket, head));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(config.port, config.host, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(":") ? `[${address}]` : address}:${port}`,
    reload,
    async [Symbol.asyncDispose]() {
      unwatchFile(config.descriptorSet, reload);
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        shutdown.abort();
        server.closeAllConnections();
      }, graceMs);
      await closed;
      clearTimeout(timer);
      upstream[Symbol.dispose]();
    },
  };
}

function load(
  config: Config,
  upstream: Upstream,
  shutdownSignal: AbortSignal,
  log: (line: string) => void,
): HttpHandler {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(config.descriptorSet));
  const registry = createFileRegistry(set);
  const services = [...registry].filter((type) => type.kind === "service");
  return createHttpHandler({
    ...config.options,
    specs: services.map((service) => upstream.specOf(service)),
    registry,
    openapi: documentsOf(registry),
    shutdownSignal,
    onError: (error) => log(`error: ${error instanceof Error ? error.message : String(error)}`),
  });
}

function documentsOf(registry: FileRegistry): { json: string; yaml: string } {
  const services = [...registry].filter((type) => type.kind === "service");
  const served = services.filter((service) => service.methods.some((method) => routesOf(method).length > 0));
  const document = createDocumentBuilder(registry, parseOptions("")).build(served);
  return { json: JSON.stringify(document), yaml: stringify(document, { aliasDuplicateObjects: false }) };
}
