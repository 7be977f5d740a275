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
import { answerWhole, bodyOfSameTurn, envelopedBody, meteredBody, type Request, type Response } from "../http/body.ts";
import { decodeBody } from "../http/content-encoding.ts";
import { answerFailure } from "../http/last-resort.ts";
import { createRequestMeter } from "../http/request-meter.ts";
import { defaultMaxBodyBytes, type RestOptions } from "../rest/options.ts";
import { noBytes } from "../rest/request-body.ts";
import { createEnvelopeFactory } from "./envelope-handler.ts";
import { connectStreamWire, grpcWebWire, grpcWire } from "./envelope-wires.ts";
import { namesFieldsAsJson } from "./json-field-names.ts";
import { createRpcCodec, type RpcCodec } from "./method-codec.ts";
import { sendAnswer } from "./stream-response.ts";
import { createUnaryRpc, type RpcOptions } from "./unary-handler.ts";

/** Serves a request of Connect, gRPC-Web or gRPC whose path is that of a method; undefined for any other path. */
export type RpcHandler = (path: string) => ((request: Request, response: Response) => void) | undefined;

/**
 * Serves the implementations at `/package.Service/Method`: unary calls of Connect and gRPC-Web on a fast road, streams
 * and gRPC in the steps of connect-node, all with one codec.
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
  // Only refuses: what it would serve is served on the fast road.
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

/** The compression as messages of streams are decompressed: within the limits of all bodies. */
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

/** The client is gone: there is nobody to tell. */
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

/** A request of one message is received at a rate; a stream of them as the implementation takes them. */
function bodyOf(request: Request, { method }: UniversalHandler, { meter }: RpcOptions): AsyncIterable<Uint8Array> {
  const isOne = method.methodKind === "unary" || method.methodKind === "server_streaming";
  return isOne ? meteredBody(request, meter) : envelopedBody(request, meter);
}

/** Lets connect-node serve a request. @param body where it was read already. */
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
    // Without an authority, or with one that is none, there is no URL of the request: RFC 9112, section 3.2.
    answerWhole(response, 400, {}, noBytes);
    return;
  }
  handler({
    ...universal,
    // Streams both ways are refused below HTTP/2, where a client may wait for an answer before it sends the rest. Node
    // reads and writes at once on HTTP/1 too, so that it is up to the client.
    httpVersion: "2.0",
    body: body === undefined ? bodyOf(request, handler, options) : createAsyncIterable([body]),
  })
    .then(async (answer) => {
      await bodyOfSameTurn(request);
      await sendAnswer(answer, response);
    })
    .catch((reason: unknown) => {
      if (isOfTheConnection(reason)) {
        response.destroy();
        return;
      }
      options.onError?.(reason, request);
      answerFailure(request, response, "rpc");
    });
}
