import { createServiceImplSpec, type Interceptor, type ServiceImpl, type Transport } from "@connectrpc/connect";
import { describe } from "@jest/globals";
import type { Authenticate } from "../../auth/authenticate.ts";
import { createGrpcServer } from "../../grpc/server.ts";
import { createGrpcTransport } from "../../grpc/transport.ts";
import { createAdmission } from "../../interceptors/admission.ts";
import { createInterceptors } from "../../interceptors/interceptors.ts";
import { createLogger } from "../../telemetry/log.ts";
import { systemClock } from "../../values/clock.ts";
import { createLocalTransport } from "../local-transport.ts";
import { ProbeService } from "./probe-service.ts";

export interface OpenWire extends AsyncDisposable {
  readonly transport: Transport;
}

export interface WireSetup {
  readonly implementation: Partial<ServiceImpl<typeof ProbeService>>;
  /** Default: the whole list of `createInterceptors`, with `probeInterceptors`. */
  readonly interceptors?: Interceptor[];
}

/** Serves the probe service on one wire and returns a transport to it. */
export type OpenWireFn = (setup: WireSetup) => Promise<OpenWire>;

const openLocal: OpenWireFn = async ({ implementation, interceptors = probeInterceptors().interceptors }) => {
  const local = createLocalTransport({ interceptors });
  local.mount([createServiceImplSpec<typeof ProbeService>(ProbeService, implementation)]);
  return { transport: local.transport, async [Symbol.asyncDispose]() {} };
};

const openGrpc: OpenWireFn = async ({ implementation, interceptors = probeInterceptors().interceptors }) => {
  await using opening = new AsyncDisposableStack();
  const server = opening.use(
    createGrpcServer({
      specs: [createServiceImplSpec<typeof ProbeService>(ProbeService, implementation)],
      interceptors,
      log: createLogger({ level: "silent", name: "test" }),
      maxRequestBytes: 1024 * 1024,
    }),
  );
  const port = await server.listen({ host: "127.0.0.1", port: 0 });
  const { transport } = opening.use(createGrpcTransport({ address: `127.0.0.1:${port}` }));
  const stack = opening.move();
  return { transport, [Symbol.asyncDispose]: () => stack.disposeAsync() };
};

/** Runs the same cases on each wire. */
export function describeEachWire(name: string, cases: (open: OpenWireFn, wire: "local" | "grpc") => void): void {
  describe(`${name}, in process`, () => cases(openLocal, "local"));
  describe(`${name}, over gRPC`, () => cases(openGrpc, "grpc"));
}

/** `reader`: scope probes.read. `admin`: scope admin. `nobody`: no scope. `down`: the lookup itself fails. */
const authenticate: Authenticate = async ({ token }) => {
  const scopes = { reader: ["probes.read"], admin: ["admin"], nobody: [] }[token];
  if (token === "down") {
    throw new Error("the key store is down");
  }
  return scopes && { kind: "api_key", tenant: "acme", subject: token, scopes: new Set(scopes) };
};

/** The production interceptors with a fixed set of keys, and their log. */
export function probeInterceptors(keys = authenticate) {
  const lines: Record<string, unknown>[] = [];
  const around = {
    authenticate: keys,
    log: createLogger({
      level: "debug",
      name: "test",
      destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
    }),
    clock: systemClock,
  };
  return { interceptors: createInterceptors(around), admit: createAdmission(around), lines };
}
