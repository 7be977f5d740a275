import { create, type Message } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type Interceptor, type MethodImplSpec } from "@connectrpc/connect";
import type { Call } from "./call-context.ts";

type UnarySpec = MethodImplSpec & { kind: "unary" };
type UnaryFunction = ReturnType<Interceptor>;
type UnaryRequest = Parameters<UnaryFunction>[0] & { stream: false };

/**
 * Calls a unary implementation through the interceptors, the first one outermost. Behaves like Connect's own handlers,
 * but creates objects only on demand and does not await an implementation that returns synchronously.
 */
export function invokeUnary(
  spec: UnarySpec,
  call: Call,
  message: Message,
  interceptors: readonly Interceptor[],
): Message | Promise<Message> {
  if (interceptors.length > 0) return intercept(spec, call, message, interceptors);
  const answer = spec.impl(message, call);
  const { output } = spec.method;
  return isPromise(answer) ? Promise.resolve(answer).then((init) => create(output, init)) : create(output, answer);
}

/** True for any thenable, the check that `await` makes. */
function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === "function";
}

async function intercept(
  spec: UnarySpec,
  call: Call,
  message: Message,
  interceptors: readonly Interceptor[],
): Promise<Message> {
  const innermost = (async (request: UnaryRequest) => ({
    stream: false,
    service: call.service,
    method: spec.method,
    message: create(spec.method.output, await spec.impl(request.message, contextFor(call, request))),
    get header() {
      return call.responseHeader;
    },
    get trailer() {
      return call.responseTrailer;
    },
  })) as UnaryFunction;
  const next = interceptors.reduceRight<UnaryFunction>((inner, interceptor) => interceptor(inner), innermost);
  const request = {
    stream: false,
    service: call.service,
    method: spec.method,
    requestMethod: call.requestMethod,
    url: call.url,
    message,
    get signal() {
      return call.signal;
    },
    get header() {
      return call.requestHeader;
    },
    get contextValues() {
      return call.values;
    },
  } as UnaryRequest;
  const answer = await next(request);
  if (answer.stream) throw new ConnectError("an interceptor returned a stream for a unary call", Code.Internal);
  replaceHeaders(answer, "header", call.touchedHeader(), () => call.responseHeader);
  replaceHeaders(answer, "trailer", call.touchedTrailer(), () => call.responseTrailer);
  return answer.message;
}

/** The call context, copied only if an interceptor passed on another request. */
function contextFor(call: Call, request: UnaryRequest): HandlerContext {
  const descriptor = Object.getOwnPropertyDescriptor(request, "header");
  if (descriptor?.get !== undefined) return call;
  return {
    service: request.service,
    method: call.method,
    protocolName: call.protocolName,
    requestMethod: call.requestMethod,
    url: call.url,
    timeoutMs: call.timeoutMs,
    signal: request.signal,
    requestHeader: request.header,
    values: request.contextValues,
    get responseHeader() {
      return call.responseHeader;
    },
    get responseTrailer() {
      return call.responseTrailer;
    },
  };
}

/** Replaces the response headers if an interceptor returned headers other than the call's. */
function replaceHeaders(
  answer: { header: Headers; trailer: Headers },
  name: "header" | "trailer",
  touched: Headers | undefined,
  target: () => Headers,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(answer, name);
  if (descriptor?.get !== undefined) return;
  const from = answer[name];
  if (from === touched) return;
  const to = target();
  for (const key of [...to.keys()]) to.delete(key);
  from.forEach((value, key) => {
    to.append(key, value);
  });
}
