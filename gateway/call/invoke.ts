import { create, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type HandlerContext,
  type Interceptor,
  type MethodImplSpec,
  type StreamRequest,
  type UnaryRequest,
} from "@connectrpc/connect";
import type { Call } from "./call-context.ts";

type UnarySpec = MethodImplSpec & { kind: "unary" };
type StreamSpec = Exclude<MethodImplSpec, { kind: "unary" }>;
type AnyFn = ReturnType<Interceptor>;

/**
 * Calls a unary implementation through the interceptors, the first one outermost. Headers and trailers are those of the
 * call. Without interceptors it creates objects only on demand, and is synchronous if the implementation is.
 */
export function invokeUnary(
  spec: UnarySpec,
  call: Call,
  message: Message,
  interceptors: readonly Interceptor[],
): Message | Promise<Message> {
  if (interceptors.length > 0) return interceptUnary(spec, call, message, interceptors);
  const answer = spec.impl(message, call);
  const { output } = spec.method;
  return isPromise(answer) ? Promise.resolve(answer).then((init) => create(output, init)) : create(output, answer);
}

/** True for any thenable, the check that `await` makes. */
function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === "function";
}

async function interceptUnary(
  spec: UnarySpec,
  call: Call,
  message: Message,
  interceptors: readonly Interceptor[],
): Promise<Message> {
  const { method } = spec;
  const request: UnaryRequest = { ...requestOf(call), stream: false, method, message };
  const innermost: AnyFn = async (passed) => {
    if (passed.stream) throw wrongKind(spec);
    const context = passed === request ? call : contextOf(call, passed);
    const answer = create(method.output, await spec.impl(passed.message, context));
    return { ...responseOf(call), stream: false, method, message: answer };
  };
  const response = await compose(interceptors, innermost)(request);
  if (response.stream) throw wrongKind(spec);
  replaceHeaders(response.header, call.responseHeader);
  replaceHeaders(response.trailer, call.responseTrailer);
  return response.message;
}

/**
 * Calls an implementation of any kind through the interceptors, the first one outermost. Resolves when the interceptors
 * have passed the response, whose headers are then those of the call; its trailers are after the last message.
 */
export async function invokeStream(
  spec: MethodImplSpec,
  call: Call,
  requests: AsyncIterable<Message>,
  interceptors: readonly Interceptor[],
): Promise<AsyncIterable<Message>> {
  if (spec.kind === "unary") return only(await invokeUnary(spec, call, await single(requests), interceptors));
  const { method } = spec;
  if (interceptors.length === 0) return responses(spec, requests, call);
  const request: StreamRequest = { ...requestOf(call), stream: true, method, message: requests };
  const innermost: AnyFn = async (passed) => {
    if (!passed.stream) throw wrongKind(spec);
    const context = passed === request ? call : contextOf(call, passed);
    return { ...responseOf(call), stream: true, method, message: responses(spec, passed.message, context) };
  };
  const response = await compose(interceptors, innermost)(request);
  if (!response.stream) throw wrongKind(spec);
  const { message, trailer } = response;
  replaceHeaders(response.header, call.responseHeader);
  return trailer === call.responseTrailer ? message : withTrailer(message, trailer, call);
}

/** Like {@link invokeStream}, but begins with the first read. */
export async function* responsesOf(
  spec: MethodImplSpec,
  call: Call,
  requests: AsyncIterable<Message>,
  interceptors: readonly Interceptor[],
): AsyncGenerator<Message> {
  yield* await invokeStream(spec, call, requests, interceptors);
}

function compose(interceptors: readonly Interceptor[], innermost: AnyFn): AnyFn {
  return interceptors.reduceRight<AnyFn>((next, interceptor) => interceptor(next), innermost);
}

function requestOf({ service, requestMethod, url, signal, requestHeader: header, values: contextValues }: Call) {
  return { service, requestMethod, url, signal, header, contextValues };
}

function responseOf({ service, responseHeader: header, responseTrailer: trailer }: Call) {
  return { service, header, trailer };
}

/** The context of a handler to which an interceptor passed another request. */
function contextOf(call: Call, request: UnaryRequest | StreamRequest): HandlerContext {
  return {
    service: request.service,
    method: call.method,
    protocolName: call.protocolName,
    requestMethod: call.requestMethod,
    url: call.url,
    timeoutMs: call.timeoutMs,
    signal: request.signal,
    requestHeader: request.header,
    responseHeader: call.responseHeader,
    responseTrailer: call.responseTrailer,
    values: request.contextValues,
  };
}

/** Replaces the headers `to` if an interceptor returned others. */
function replaceHeaders(from: Headers, to: Headers): void {
  if (from === to) return;
  for (const key of [...to.keys()]) to.delete(key);
  from.forEach((value, key) => {
    to.append(key, value);
  });
}

async function* withTrailer(messages: AsyncIterable<Message>, trailer: Headers, call: Call): AsyncGenerator<Message> {
  yield* messages;
  replaceHeaders(trailer, call.responseTrailer);
}

/** The responses of a streaming implementation, as whole messages. */
async function* responses(
  spec: StreamSpec,
  requests: AsyncIterable<Message>,
  context: HandlerContext,
): AsyncGenerator<Message> {
  const { output } = spec.method;
  switch (spec.kind) {
    case "client_streaming":
      yield create(output, await spec.impl(requests, context));
      return;
    case "server_streaming":
      yield* whole(output, spec.impl(await single(requests), context));
      return;
    case "bidi_streaming":
      yield* whole(output, spec.impl(requests, context));
      return;
    default:
      spec satisfies never;
  }
}

async function* whole<Desc extends DescMessage>(
  schema: Desc,
  messages: AsyncIterable<MessageInitShape<Desc>>,
): AsyncGenerator<Message> {
  for await (const message of messages) yield create(schema, message);
}

async function* only(message: Message): AsyncGenerator<Message> {
  yield message;
}

/** Reads the single request of a call. Zero or two requests are UNIMPLEMENTED, as in gRPC. */
async function single(messages: AsyncIterable<Message>): Promise<Message> {
  let request: Message | undefined;
  for await (const message of messages) {
    if (request !== undefined) {
      throw new ConnectError("the method takes one request, and more were sent", Code.Unimplemented);
    }
    request = message;
  }
  if (request === undefined) {
    throw new ConnectError("the method takes one request, and none was sent", Code.Unimplemented);
  }
  return request;
}

function wrongKind({ method, kind }: MethodImplSpec): ConnectError {
  return new ConnectError(
    `${method.parent.typeName}/${method.name} is ${kind}; it was called or intercepted as another kind`,
    Code.Internal,
  );
}
