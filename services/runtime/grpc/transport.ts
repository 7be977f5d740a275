import { createContextValues, type Interceptor, type Transport } from "@connectrpc/connect";
import { runStreamingCall, runUnaryCall } from "@connectrpc/connect/protocol";
import { ChannelCredentials, Client } from "@grpc/grpc-js";
import { cancelAbruptly } from "../../../gateway/http/listener/abrupt-cancel.ts";
import { callStream, callUnary } from "./client-calls.ts";

export interface GrpcTransportOptions {
  /**
   * `host:port` or `dns:///name:port` (round-robin over the addresses of the name), numeric addresses between commas
   * (round-robin too), or `unix:/path`.
   */
  readonly address: string;
  /** Default: plain text. */
  readonly credentials?: ChannelCredentials;
  /** Around every call, the first outermost; the same as on any Connect transport. */
  readonly interceptors?: readonly Interceptor[];
  /** Larger responses are RESOURCE_EXHAUSTED. Default 4 MiB. */
  readonly maxResponseBytes?: number;
}

/** A connection to a service on another machine, established on the first call and again after it is lost. */
export interface GrpcTransport extends AsyncDisposable {
  readonly transport: Transport;
}

/**
 * Connect's Transport over grpc-js. Deadlines become `grpc-timeout`, an aborted signal cancels the call at the server,
 * even in mid-stream, and every failure is a ConnectError with the server's details. A connection failure is
 * UNAVAILABLE; addresses appear only in its `cause`.
 */
export function createGrpcTransport(options: GrpcTransportOptions): GrpcTransport {
  cancelAbruptly();
  const client = new Client(targetOf(options.address), options.credentials ?? ChannelCredentials.createInsecure(), {
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.max_receive_message_length": options.maxResponseBytes ?? 4 * 1024 * 1024,
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    "grpc.enable_channelz": 0,
  });
  const interceptors = [...(options.interceptors ?? [])];

  const transport: Transport = {
    unary(method, signal, timeoutMs, header, message, contextValues) {
      const limits = limitsOf(signal, timeoutMs);
      const common = requestOf(options.address, method.parent.typeName, method.name, header);
      return runUnaryCall({
        interceptors,
        req: {
          ...common,
          stream: false,
          service: method.parent,
          method,
          message,
          contextValues: contextValues ?? createContextValues(),
        },
        next: (request) => callUnary(client, request, limits.timeoutMs),
        ...limits,
      });
    },
    stream(method, signal, timeoutMs, header, message, contextValues) {
      const limits = limitsOf(signal, timeoutMs);
      const common = requestOf(options.address, method.parent.typeName, method.name, header);
      return runStreamingCall({
        interceptors,
        req: {
          ...common,
          stream: true,
          service: method.parent,
          method,
          message,
          contextValues: contextValues ?? createContextValues(),
        },
        next: (request) => callStream(client, request, limits.timeoutMs),
        ...limits,
      });
    },
  };
  return {
    transport,
    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}

/** The name that grpc-js resolves. Several addresses need the scheme of their family. */
function targetOf(address: string): string {
  return address.includes(",") ? `${address.startsWith("[") ? "ipv6" : "ipv4"}:${address}` : address;
}

function requestOf(address: string, service: string, method: string, header: HeadersInit | undefined) {
  return { requestMethod: "POST", url: `grpc://${address}/${service}/${method}`, header: new Headers(header) };
}

/** In Connect's clients a timeout of zero or less means none. */
function limitsOf(signal: AbortSignal | undefined, timeoutMs: number | undefined) {
  const limits: { signal?: AbortSignal; timeoutMs?: number } = {};
  if (signal !== undefined) {
    limits.signal = signal;
  }
  if (timeoutMs !== undefined && timeoutMs > 0) {
    limits.timeoutMs = timeoutMs;
  }
  return limits;
}
