import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, type MethodImplSpec } from "@connectrpc/connect";
import {
  type Compression,
  createAsyncIterable,
  createUniversalMethodHandler,
  type UniversalHandler,
  type UniversalHandlerOptions,
  type UniversalServerRequest,
} from "@connectrpc/connect/protocol";
import { createHandlerFactory as createConnectFactory } from "@connectrpc/connect/protocol-connect";
import { compressionBrotli, compressionGzip, universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import { withoutDetails } from "../errors.ts";
import { decodeBody } from "../http/body/content-encoding.ts";
import { bodyOfSameTurn, type Request, type Response } from "../http/body/request.ts";
import { sendResponse } from "../http/body/response.ts";
import { envelopedBody, meteredBody } from "../http/body/streamed-body.ts";
import { createRequestMeter } from "../http/limits/request-meter.ts";
import { sendFailure } from "../http/listener/last-resort.ts";
import { defaultMaxBodyBytes, type RestOptions } from "../rest/options.ts";
import { noBytes } from "../rest/request-body.ts";
import { createEnvelopeFactory } from "./envelope-handler.ts";
import { connectStreamWire, grpcWebWire, grpcWire } from "./envelope-wires.ts";
import { namesFieldsAsJson } from "./json-field-names.ts";
import { createRpcCodec, type RpcCodec } from "./method-codec.ts";
import { sendStreamResponse } from "./stream-response.ts";
import { createUnaryRpc, type RpcOptions } from "./unary-handler.ts";

/** Serves a Connect, gRPC-Web or gRPC request whose path is that of a method; undefined for any other path. */
export type RpcHandler = (path: string) => ((request: Request, response: Response) => void) | undefined;

/**
 * Serves the implementations at `/package.Service/Method`: unary Connect and gRPC-Web calls on a fast path, streams and
 * gRPC through connect-node, all with the same codec.
 */
export function createRpcHandler(given: RestOptions): RpcHandler {
  const options = { meter: createRequestMeter(), ...given };
  const interceptors = [...(options.interceptors ?? [])];
  const { admit } = options;
  const jsonOptions = options.registry === undefined ? {} : { registry: options.registry };
  const handlerOptions: Partial<UniversalHandlerOptions> = {
    interceptors: [namesFieldsAsJson, ...interceptors],
    acceptCompression: [limited(compressionGzip, options), limited(compressionBrotli, options)],
    ...(admit === undefined ? {} : { requestGate: async (context) => admit(context) }),
    readMaxBytes: options.maxBodyBytes ?? defaultMaxBodyBytes,
    jsonOptions,
    ...(options.maxTimeoutMs === undefined ? {} : { maxTimeoutMs: options.maxTimeoutMs }),
    ...(options.shutdownSignal === undefined ? {} : { shutdownSignal: options.shutdownSignal }),
  };
  const codecs = new Map<DescMethod, RpcCodec>();
  const codecOf = ({ method }: MethodImplSpec): RpcCodec => {
    const codec = codecs.get(method) ?? createRpcCodec(method, options);
    codecs.set(method, codec);
    return codec;
  };
  const inEnvelopes = [grpcWire, grpcWebWire].map((wire) => createEnvelopeFactory(wire, codecOf, handlerOptions));
  const connectStreams = createEnvelopeFactory(connectStreamWire(jsonOptions), codecOf, handlerOptions);
  // Only rejects requests: those it would accept are served on the fast path.
  const connectUnary = createConnectFactory(handlerOptions);
  const served = new Map<string, (request: Request, response: Response) => void>();
  for (const spec of options.specs.flatMap(({ methods }) => Object.values(methods))) {
    const connect = spec.kind === "unary" ? connectUnary : connectStreams;
    const handler = createUniversalMethodHandler(spec, [...inEnvelopes, connect]);
    const fallback = (request: Request, response: Response, body?: Uint8Array): void =>
      runHandler(handler, request, response, options, body);
    const fast =
      spec.kind === "unary" ? createUnaryRpc(spec, codecOf(spec), interceptors, options, fallback) : undefined;
    served.set(handler.requestPath, (request, response) => {
      if (fast?.(request, response) !== true) fallback(request, response);
    });
  }
  return (path) => served.get(path);
}

/** Wraps a compression so that decompressed stream messages respect the limits of all bodies. */
function limited(compression: Compression, { decodeBudget }: RestOptions): Compression {
  return {
    ...compression,
    async decompress(bytes, readMaxBytes) {
      const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      try {
        return new Uint8Array(await decodeBody(body, compression.name, readMaxBytes, decodeBudget));
      } catch (error) {
        throw withoutDetails(ConnectError.from(error));
      }
    },
  };
}

/** True if the connection is closed, so that the error cannot be delivered. */
function isOfTheConnection(reason: unknown): boolean {
  const { code, cause } = ConnectError.from(reason);
  return code === Code.Aborted || code === Code.Canceled || (cause instanceof Error && "syscall" in cause);
}

function universalRequestOf(
  request: Request,
  response: Response,
  contextValues: ContextValues | undefined,
): UniversalServerRequest | undefined {
  try {
    return universalRequestFromNodeRequest(request, response, undefined, contextValues);
  } catch {
    return undefined;
  }
}

/**
 * A single-message request must arrive at a minimum rate; a stream of messages is read as the implementation consumes
 * it.
 */
function bodyOf(request: Request, { method }: UniversalHandler, { meter }: RpcOptions): AsyncIterable<Uint8Array> {
  const isOne = method.methodKind === "unary" || method.methodKind === "server_streaming";
  return isOne ? meteredBody(request, meter) : envelopedBody(request, meter);
}

/** Serves a request through connect-node. @param body the body, if already read. */
function runHandler(
  handler: UniversalHandler,
  request: Request,
  response: Response,
  options: RpcOptions,
  body?: Uint8Array,
): void {
  const contextValues = options.contextValues?.(request);
  const universal = universalRequestOf(request, response, contextValues);
  if (universal === undefined) {
    // Without a valid authority the request has no URL: RFC 9112, section 3.2.
    sendResponse(response, 400, {}, noBytes);
    return;
  }
  handler({
    ...universal,
    // connect-node rejects bidirectional streams below HTTP/2, where a client may wait for a response before it sends
    // the rest. Node reads and writes concurrently on HTTP/1 too, so this is left to the client.
    httpVersion: "2.0",
    body: body === undefined ? bodyOf(request, handler, options) : createAsyncIterable([body]),
  })
    .then(async (answer) => {
      await bodyOfSameTurn(request);
      await sendStreamResponse(answer, response);
    })
    .catch((reason: unknown) => {
      if (isOfTheConnection(reason)) {
        response.destroy();
        return;
      }
      options.onError?.(reason, request);
      sendFailure(request, response, "rpc");
    });
}
