import { setTimeout as sleep } from "node:timers/promises";
import type { Interceptor, ServiceImplSpec } from "@connectrpc/connect";
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { unavailable } from "../errors.ts";
import type { Logger } from "../log.ts";
import { createConnections } from "./connections.ts";
import { guardCalls } from "./grpc-guard.ts";
import { createGrpcHandler, type GrpcHandlerOptions } from "./grpc-handlers.ts";
import { createHealthService } from "./health.ts";
import { createInFlight } from "./in-flight.ts";
import { createReflectionServices } from "./reflection.ts";

export interface GrpcServerOptions {
  readonly specs: readonly ServiceImplSpec[];
  /** The same list as every other wire: see `createInterceptors`. Health and reflection are served without it. */
  readonly interceptors: readonly Interceptor[];
  readonly log: Logger;
  /** Default: plain text, for a mesh or a proxy to encrypt. */
  readonly credentials?: ServerCredentials;
  /** Serve `grpc.reflection`, to whoever reaches the port. Default true: the contract is public. */
  readonly reflection?: boolean;
  /** Larger request messages are RESOURCE_EXHAUSTED. Default 4 MiB. */
  readonly maxRequestBytes?: number;
  /** Whether the port's own refusals say more in `google.rpc` details. Those of handlers pass as they are. Default true. */
  readonly detailedRefusals?: boolean;
}

/** Native gRPC on a port of its own. */
export interface GrpcServer extends AsyncDisposable {
  /** Begins to accept connections; port 0 is any free one. Answers the port. */
  listen(address: { host: string; port: number }): Promise<number>;
  /** What `grpc.health.v1` says of every service; NOT_SERVING until this is first called. */
  setServing(serving: boolean): void;
  /**
   * Stops: no new connection, GOAWAY on all there are; what is in flight finishes; then streams are ended with
   * UNAVAILABLE. Whatever still runs after `graceMs` is cut off. Resolves when every connection is closed. Repeatable.
   */
  close(graceMs: number): Promise<void>;
  /** Calls being served, streams included. */
  readonly callsInFlight: number;
}

const defaultMaxRequestBytes = 4 * 1024 * 1024;
/** What an aborted call has to get its status out before the connection is cut. */
const lastWordsMs = 250;

export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { specs, log, maxRequestBytes = defaultMaxRequestBytes } = options;
  const inFlight = createInFlight();
  const health = createHealthService(specs.map(({ service }) => service.typeName));
  const server = new Server({
    // Beyond our own limit, which answers with details, there is grpc-js's, which protects memory.
    "grpc.max_receive_message_length": 2 * maxRequestBytes,
    "grpc.enable_channelz": 0,
    // Finds peers that vanished without closing the connection.
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
  });

  const handling = { log, maxRequestBytes, inFlight, detailedRefusals: options.detailedRefusals ?? true };
  for (const spec of specs) {
    add(server, spec, { ...handling, interceptors: options.interceptors });
  }
  const reflected = [...specs.map(({ service }) => service), health.spec.service];
  const reflection = options.reflection === false ? [] : createReflectionServices(reflected);
  for (const spec of [health.spec, ...reflection]) {
    add(server, spec, { ...handling, interceptors: [] });
  }

  // A listener of our own: grpc-js would not say which connections are open, nor cut all of them off.
  const injector = server.createConnectionInjector(options.credentials ?? ServerCredentials.createInsecure());
  guardCalls(server);
  const connections = createConnections((socket) => injector.injectConnection(socket));

  const close = async (graceMs: number) => {
    health.setServing(false);
    connections.stopAccepting();
    injector.drain(graceMs + lastWordsMs);
    await Promise.race([inFlight.exchangesDone(), sleep(graceMs, undefined, { ref: false })]);
    const goodbye = unavailable("SHUTTING_DOWN", "the server is shutting down", { retryAfterMs: 0 });
    inFlight.abort("stream", goodbye);
    inFlight.abort("exchange", goodbye);
    await Promise.race([connections.allClosed(), sleep(lastWordsMs, undefined, { ref: false })]);
    if (inFlight.size > 0) {
      log.warn({ calls: inFlight.size }, "gRPC calls are cut off: they did not end in time");
    }
    connections.cut();
    server.forceShutdown();
  };
  let closing: Promise<void> | undefined;

  return {
    listen: connections.listen,
    setServing: health.setServing,
    close(graceMs) {
      closing ??= close(graceMs);
      return closing;
    },
    get callsInFlight() {
      return inFlight.size;
    },
    async [Symbol.asyncDispose]() {
      await this.close(0);
    },
  };
}

const passBytes = (bytes: Buffer) => bytes;

function add(server: Server, { service, methods }: ServiceImplSpec, options: GrpcHandlerOptions): void {
  const definition: Record<string, ServiceDefinition[string]> = {};
  const implementation: UntypedServiceImplementation = {};
  for (const spec of Object.values(methods)) {
    const { name, methodKind, localName } = spec.method;
    definition[localName] = {
      path: `/${service.typeName}/${name}`,
      requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
      responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
      requestSerialize: passBytes,
      requestDeserialize: passBytes,
      responseSerialize: passBytes,
      responseDeserialize: passBytes,
    };
    implementation[localName] = createGrpcHandler(spec, options);
  }
  server.addService(definition, implementation);
}
