import { once } from "node:events";
import { type AddressInfo, createServer as createListener, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createServer as createTlsListener } from "node:tls";
import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, type ServiceImplSpec } from "@connectrpc/connect";
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { defaultMaxElements } from "../../../gateway/codec/element-limit.ts";
import { createHealthService } from "../../../gateway/grpc/health.ts";
import { createReflectionServices } from "../../../gateway/grpc/reflection.ts";
import { type Forwarding, noForwarding } from "../../../gateway/http/client-address.ts";
import { createRequestMeter, type RequestMeter } from "../../../gateway/http/limits/request-meter.ts";
import { defaultServerLimits, type ServerLimits } from "../../../gateway/http/limits/server-limits.ts";
import { type Certificate, handshakeTimeoutMs, tlsOptions } from "../../../gateway/http/listener/certificate.ts";
import { trackConnections } from "../../../gateway/http/listener/connections.ts";
import { countOpenRequests } from "../../../gateway/http/listener/open-requests.ts";
import { createInFlight } from "../call/in-flight.ts";
import { fixed, type Live } from "../config/live.ts";
import { unavailable } from "../errors.ts";
import type { Admit } from "../interceptors/admission.ts";
import type { Logger } from "../telemetry/log.ts";
import { createGrpcAdmission, createGrpcCalls } from "./admission.ts";
import type { DecompressionBudget } from "./expansion.ts";
import { createGrpcHandler } from "./handlers.ts";
import { guardCalls } from "./request-guard.ts";
import type { GrpcHandlerOptions } from "./served-method.ts";

export interface GrpcServerOptions {
  readonly specs: readonly ServiceImplSpec[];
  /**
   * Admits or rejects a call of `specs` by its headers, before its messages are read: see `createAdmission`. Default:
   * all are admitted.
   */
  readonly admit?: Admit;
  /** The same list as on every other wire, see `createInterceptors`. Health and reflection are served without it. */
  readonly interceptors: readonly Interceptor[];
  readonly log: Logger;
  /** Enables TLS. Default: plain text, behind a mesh or a proxy that encrypts. */
  readonly certificate?: Certificate | undefined;
  /** Serve `grpc.reflection`, without authentication, while true. Default always: the contract is public. */
  readonly reflection?: Live<boolean>;
  /** Larger request messages are RESOURCE_EXHAUSTED. Default 4 MiB. */
  readonly maxRequestBytes?: number;
  /** Default {@link defaultServerLimits}. */
  readonly limits?: ServerLimits;
  /** Shared by all ports of a process. Default: a separate one, with `limits`. */
  readonly meter?: RequestMeter;
  /** The proxies in front, which are exempt from limits per address. Default: none. */
  readonly forwarding?: Forwarding;
  /** Age after which a connection is closed once its calls have ended, so that clients rebalance. Default 2 h. */
  readonly maxConnectionAgeMs?: number;
  /** Request messages of more elements (messages, list elements, map entries) are RESOURCE_EXHAUSTED. Default 100,000. */
  readonly maxRequestElements?: number;
  /** Bounds concurrent decompression. Default: unbounded. */
  readonly decompressionBudget?: DecompressionBudget;
  /** Whether the port's own rejections carry `google.rpc` details. Those of handlers are unaffected. Default true. */
  readonly detailedRefusals?: boolean;
}

/** Native gRPC server on a port of its own. */
export interface GrpcServer extends AsyncDisposable {
  /** Starts accepting connections and returns the port. Port 0 selects a free one. */
  listen(address: { host: string; port: number }): Promise<number>;
  /** Replaces the certificate for new connections. */
  renew(certificate: Certificate): void;
  /** Sets the `grpc.health.v1` status of every service; NOT_SERVING until this is first called. */
  setServing(serving: boolean): void;
  /**
   * Stops the server: accepts no new connections, sends GOAWAY on existing ones, waits for calls in flight, then ends
   * streams with UNAVAILABLE. After `graceMs` remaining calls are cut off. Resolves when every connection is closed.
   * Idempotent.
   */
  close(graceMs: number): Promise<void>;
  /** Calls in flight, streams included. */
  readonly callsInFlight: number;
}

const defaultMaxRequestBytes = 4 * 1024 * 1024;
const defaultConnectionAgeMs = 2 * 60 * 60_000;
/** Time for calls to end on a connection that has reached its maximum age. */
const connectionAgeGraceMs = 10 * 60_000;
/** Idle timeout of a connection without calls. */
const connectionIdleMs = 5 * 60_000;
/** Megabytes that Node may hold per connection before it rejects new streams of it. */
const sessionMemoryMb = 128;
/** Time for an aborted call to send its status before the connection is cut. */
const lastWordsMs = 250;

export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const {
    specs,
    log,
    maxRequestBytes = defaultMaxRequestBytes,
    limits = defaultServerLimits,
    forwarding = noForwarding,
  } = options;
  const { trustedProxies } = forwarding;
  const inFlight = createInFlight();
  const health = createHealthService(specs.map(({ service }) => service.typeName));
  const calls = createGrpcCalls(forwarding);
  const server = new Server({
    interceptors: [
      createGrpcAdmission({
        admit: options.admit,
        calls,
        methods: methodsOf(specs),
        log,
        maxMessageBytes: maxRequestBytes,
        decompressionBudget: options.decompressionBudget,
      }),
    ],
    // Enforced by the guard for arriving messages, by grpc-js for decompressed ones.
    "grpc.max_receive_message_length": maxRequestBytes,
    "grpc.max_concurrent_streams": limits.streamsPerConnection,
    "grpc-node.max_session_memory": sessionMemoryMb,
    "grpc.max_connection_age_ms": options.maxConnectionAgeMs ?? defaultConnectionAgeMs,
    "grpc.max_connection_age_grace_ms": connectionAgeGraceMs,
    "grpc.max_connection_idle_ms": connectionIdleMs,
    "grpc.enable_channelz": 0,
    // Detects peers that vanished without closing the connection.
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
  });

  const detailedRefusals = options.detailedRefusals ?? true;
  const { maxRequestElements = defaultMaxElements } = options;
  const handling = { calls, log, inFlight, detailedRefusals, maxRequestElements, idleMs: limits.idleMs };
  for (const spec of specs) {
    add(server, spec, { ...handling, interceptors: options.interceptors });
  }
  const reflected = [...specs.map(({ service }) => service), health.spec.service];
  const reflection = createReflectionServices(reflected);
  add(server, health.spec, { ...handling, interceptors: [] });
  for (const spec of reflection) {
    add(server, spec, { ...handling, interceptors: [servedWhile(options.reflection ?? fixed(true))] });
  }

  // A separate listener, because grpc-js can neither list open connections nor close all of them.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const streamed = new Set(
    [...specs, health.spec, ...reflection].flatMap(({ service }) =>
      service.methods
        .filter(({ methodKind }) => methodKind === "client_streaming" || methodKind === "bidi_streaming")
        .map(({ name }) => `/${service.typeName}/${name}`),
    ),
  );
  guardCalls(server, {
    maxMessageBytes: maxRequestBytes,
    meter: options.meter ?? createRequestMeter(limits),
    openRequests: countOpenRequests(limits, trustedProxies),
    stallMs: limits.stallMs,
    takesStream: (path) => streamed.has(path),
    detailedRefusals,
    forwarding,
    log,
  });
  const { certificate } = options;
  let isClosing = false;
  const accept = (socket: Socket) => {
    if (isClosing) {
      // Its handshake ended after the sessions were told to go away, and it would miss that.
      socket.destroy();
    } else if (!socket.destroyed) {
      injector.injectConnection(socket);
    }
  };
  const socketOptions = { noDelay: true, keepAlive: true };
  // TLS is terminated here instead of in grpc-js, so that connections count before their handshake and certificates can
  // be renewed.
  const secure =
    certificate && createTlsListener({ ...socketOptions, ...h2Options, ...tlsOptions(certificate) }, accept);
  const listener = secure ?? createListener(socketOptions, accept);
  const connections = trackConnections(listener, {
    limits,
    trustedProxies,
    onRefused: (refused) => log.warn(refused, "gRPC connections are refused: a limit is reached"),
  });

  const close = async (graceMs: number) => {
    const cutAt = performance.now() + graceMs;
    isClosing = true;
    health.setServing(false);
    listener.close();
    injector.drain(graceMs + lastWordsMs);
    await Promise.race([inFlight.exchangesDone(), sleep(graceMs, undefined, { ref: false })]);
    const goodbye = unavailable("SHUTTING_DOWN", "the server is shutting down", { retryAfterMs: 0 });
    inFlight.abort("stream", goodbye);
    inFlight.abort("exchange", goodbye);
    // A session closes when the responses of its calls are sent, which is later than the end of their handlers.
    const leftMs = Math.max(lastWordsMs, cutAt - performance.now());
    await Promise.race([connections.allClosed(), sleep(leftMs, undefined, { ref: false })]);
    if (inFlight.size > 0) {
      log.warn({ calls: inFlight.size }, "gRPC calls are cut off: they did not end in time");
    }
    connections.destroyAll();
    server.forceShutdown();
  };
  let closing: Promise<void> | undefined;

  return {
    async listen({ host, port }) {
      listener.listen(port, host);
      await once(listener, "listening");
      return (listener.address() as AddressInfo).port;
    },
    renew: (renewed) => secure?.setSecureContext(tlsOptions(renewed)),
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

/** Rejects calls as of an unknown method while switched off. */
function servedWhile(isOn: Live<boolean>): Interceptor {
  return (next) => (request) => {
    if (!isOn.current) {
      throw new ConnectError(`${request.service.typeName} is switched off`, Code.Unimplemented);
    }
    return next(request);
  };
}

function methodsOf(specs: readonly ServiceImplSpec[]): ReadonlyMap<string, DescMethod> {
  const methods = specs.flatMap(({ service }) => service.methods);
  return new Map(methods.map((method) => [`/${method.parent.typeName}/${method.name}`, method]));
}

const h2Options = { ALPNProtocols: ["h2"], handshakeTimeout: handshakeTimeoutMs };

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
