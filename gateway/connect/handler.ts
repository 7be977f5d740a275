import type { DescService, Message } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createConnectRouter,
  type Interceptor,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  type Compression,
  createAsyncIterable,
  type UniversalHandler,
  type UniversalServerRequest,
} from "@connectrpc/connect/protocol";
import { compressionBrotli, compressionGzip, universalRequestFromNodeRequest } from "@connectrpc/connect-node";
import { defaultMaxElements } from "../codec/element-limit.ts";
import { withoutDetails } from "../errors.ts";
import { meteredBody, type Request, type Response, undecodedBody } from "../http/body.ts";
import { decodeBody } from "../http/content-encoding.ts";
import { answerFailure } from "../http/last-resort.ts";
import { createRequestMeter } from "../http/request-meter.ts";
import { defaultMaxBodyBytes, type RestOptions } from "../rest/options.ts";
import { createRequestGuard } from "./request-guard.ts";
import { sendAnswer } from "./stream-response.ts";
import { createUnaryRpc, type RpcOptions, type UnaryRpc } from "./unary-handler.ts";

/** Serves a request of Connect, gRPC-Web or gRPC whose path is that of a method; undefined for any other path. */
export type RpcHandler = (path: string) => ((request: Request, response: Response) => void) | undefined;

/**
 * Serves the implementations at `/package.Service/Method`: ordinary unary calls on a fast road, everything else
 * (streams, GET, gRPC) by connect-node.
 */
export function createRpcHandler(given: RestOptions): RpcHandler {
  const options = { meter: createRequestMeter(), ...given };
  const interceptors = [...(options.interceptors ?? [])];
  const { admit } = options;
  const router = createConnectRouter({
    interceptors: [blamesClientForMessages, ...interceptors],
    acceptCompression: [forQueries(compressionGzip, options), forQueries(compressionBrotli, options)],
    ...(admit === undefined ? {} : { requestGate: async (context) => admit(context) }),
    readMaxBytes: options.maxBodyBytes ?? defaultMaxBodyBytes,
    ...(options.registry === undefined ? {} : { jsonOptions: { registry: options.registry } }),
    ...(options.maxTimeoutMs === undefined ? {} : { maxTimeoutMs: options.maxTimeoutMs }),
    ...(options.shutdownSignal === undefined ? {} : { shutdownSignal: options.shutdownSignal }),
  });
  const served = new Map<string, (request: Request, response: Response) => void>();
  for (const { service, methods } of options.specs) {
    const implementation = Object.fromEntries(Object.entries(methods).map(([name, { impl }]) => [name, impl]));
    router.service(service, implementation as unknown as Partial<ServiceImpl<DescService>>);
  }
  const fastRoads = new Map<string, UnaryRpc>();
  for (const handler of router.handlers) {
    const guard = createRequestGuard(handler.method, options);
    const spec = options.specs.find(({ service }) => service.typeName === handler.service.typeName)?.methods[
      handler.method.localName
    ];
    if (spec?.kind === "unary") {
      const fallback = (request: Request, response: Response, body: Uint8Array): void =>
        runHandler(handler, guard, request, response, options, body);
      fastRoads.set(handler.requestPath, createUnaryRpc(spec, interceptors, options, fallback));
    }
    const fast = fastRoads.get(handler.requestPath);
    served.set(handler.requestPath, (request, response) => {
      if (fast?.(request, response) !== true) runHandler(handler, guard, request, response, options);
    });
  }
  return (path) => served.get(path);
}

/**
 * The compression as connect-node undoes it: only for messages in URLs, as all others are decompressed before. No
 * message of so few bytes can have too many elements.
 */
function forQueries(compression: Compression, options: RestOptions): Compression {
  const { maxElements = defaultMaxElements, decodeBudget } = options;
  return {
    ...compression,
    async decompress(bytes, readMaxBytes) {
      const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      try {
        return new Uint8Array(
          await decodeBody(body, compression.name, Math.min(readMaxBytes, maxElements), decodeBudget),
        );
      } catch (error) {
        throw withoutDetails(ConnectError.from(error));
      }
    },
  };
}

/** connect-node has INTERNAL for a message of a stream that cannot be decoded; it too is the fault of who sent it. */
const blamesClientForMessages: Interceptor = (next) => (request) =>
  next(request.stream ? { ...request, message: blamedMessages(request.message) } : request);

async function* blamedMessages(messages: AsyncIterable<Message>): AsyncGenerator<Message> {
  try {
    yield* messages;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    if (code !== Code.Internal || !rawMessage.startsWith("parse binary")) throw error;
    throw new ConnectError(`cannot decode: ${rawMessage}`, Code.InvalidArgument, undefined, undefined, error);
  }
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
  return isOne ? meteredBody(request, meter) : undecodedBody(request);
}

/** Lets connect-node serve a request. @param body where it was read already. */
function runHandler(
  handler: UniversalHandler,
  guard: ReturnType<typeof createRequestGuard>,
  request: Request,
  response: Response,
  options: RpcOptions,
  body?: Uint8Array,
): void {
  const contextValues = options.contextValues?.(request);
  const universal = universalRequestOf(request, response, contextValues);
  if (universal === undefined) {
    // Without an authority, or with one that is none, there is no URL of the request: RFC 9112, section 3.2.
    response.statusCode = 400;
    response.end();
    return;
  }
  const guarded = guard({
    ...universal,
    // Streams both ways are refused below HTTP/2, where a client may wait for an answer before it sends the rest. Node
    // reads and writes at once on HTTP/1 too, so that it is up to the client.
    httpVersion: "2.0",
    body: body === undefined ? bodyOf(request, handler, options) : createAsyncIterable([body]),
  });
  handler(guarded)
    .then((answer) => sendAnswer(answer, request, response))
    .catch((reason: unknown) => {
      if (isOfTheConnection(reason)) {
        response.destroy();
        return;
      }
      options.onError?.(reason, request);
      answerFailure(request, response, "rpc");
    });
}
