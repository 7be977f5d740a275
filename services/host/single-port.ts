import type { ServerResponse } from "node:http";
import type { ServiceImplSpec } from "@connectrpc/connect";
import { createHealthService } from "../../gateway/grpc/health.ts";
import { createReflectionServices } from "../../gateway/grpc/reflection.ts";
import type { HttpHandler } from "../../gateway/http/listener/listener.ts";
import type { ProbeResponse } from "../../gateway/http/listener/operations-port.ts";
import { createHttpHandler } from "../../gateway/http-handler.ts";
import type { Live } from "../runtime/config/live.ts";
import type { Composition } from "./compose.ts";

/** The handler of a port on which everything is served. */
export interface SinglePort {
  readonly handler: HttpHandler;
  /** Status of the gRPC health service. */
  setServing(serving: boolean): void;
}

/** The probes that everybody may see. The others, and metrics, show parts of the installation. */
const publicProbes: ReadonlySet<string> = new Set(["/live", "/ready"]);

/**
 * Adds gRPC health, gRPC reflection, `/live` and `/ready` to the handler. They need no authentication, so that the probes
 * have their status only.
 */
export function createSinglePort(
  handler: HttpHandler,
  options: {
    readonly composition: Composition;
    /** Whether gRPC reflection is served. */
    readonly reflection: Live<boolean>;
    readonly probe: (path: string) => ProbeResponse;
  },
): SinglePort {
  const { composition, reflection, probe } = options;
  const served = [...composition.specs, ...composition.internalSpecs].map(({ service }) => service);
  const health = createHealthService(served.map(({ typeName }) => typeName));
  const reflected = createReflectionServices([...served, health.spec.service]);
  const infrastructure = createHttpHandler({ specs: [health.spec, ...reflected], meter: composition.meter });
  const healthPaths = pathsOf([health.spec]);
  const reflectionPaths = pathsOf(reflected);
  const serve = (...[request, response]: Parameters<HttpHandler>): void => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (publicProbes.has(path) && (request.method === "GET" || request.method === "HEAD")) {
      const { status, body } = probe(path);
      const headers = { "content-type": "application/json", "cache-control": "no-store" };
      (response as ServerResponse)
        .writeHead(status, headers)
        .end(`${JSON.stringify({ status: (body as { status: string }).status })}\n`);
    } else if (healthPaths.has(path) || (reflection.current && reflectionPaths.has(path))) {
      infrastructure(request, response);
    } else {
      handler(request, response);
    }
  };
  return {
    handler: Object.assign(serve, { upgrade: handler.upgrade, shouldUpgrade: handler.shouldUpgrade }),
    setServing: health.setServing,
  };
}

function pathsOf(specs: readonly ServiceImplSpec[]): ReadonlySet<string> {
  return new Set(specs.flatMap(({ service }) => service.methods.map(({ name }) => `/${service.typeName}/${name}`)));
}
