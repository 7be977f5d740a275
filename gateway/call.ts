import type { ServerResponse } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type HandlerContext,
  type Interceptor,
  type MethodImplSpec,
} from "@connectrpc/connect";
import type { Response } from "./http-io.ts";

/** What a call is made of, before anybody has asked for any of it. */
export interface CallInit {
  readonly protocolName: string;
  readonly requestMethod: string;
  readonly url: string;
  readonly response: Response;
  readonly requestHeader: () => Headers;
  readonly timeoutMs: number | undefined;
  readonly shutdownSignal: AbortSignal | undefined;
  readonly contextValues: ContextValues | undefined;
}

/**
 * The context of one call. Headers, signal and values are made when they are asked for: most calls need few of them,
 * and each costs more than decoding the message.
 */
export interface Call extends HandlerContext {
  /** Ends the call: stops its timer and aborts its signal. */
  abort(reason?: unknown): void;
  /** The response headers and trailers where somebody has set any. */
  touchedHeader(): Headers | undefined;
  touchedTrailer(): Headers | undefined;
  /** Why the call was aborted, where it was: its deadline, the client's leaving, the server's stopping. */
  aborted(): unknown;
}

/** Opens the context of a call of the method. */
export function openCall(spec: MethodImplSpec, init: CallInit): Call {
  const { response, shutdownSignal, timeoutMs } = init;
  const deadline = timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
  let controller: AbortController | undefined;
  let isAborted = false;
  let abortReason: unknown;
  let requestHeader: Headers | undefined;
  let responseHeader: Headers | undefined;
  let responseTrailer: Headers | undefined;
  let values = init.contextValues;

  const abort = (reason?: unknown): void => {
    if (isAborted) return;
    isAborted = true;
    abortReason = reason;
    clearTimeout(timer);
    (response as NodeJS.EventEmitter).off("close", onClose);
    shutdownSignal?.removeEventListener("abort", onShutdown);
    controller?.abort(reason);
  };
  const onClose = (): void => {
    // A stream of HTTP/2 that was reset counts as finished; it has not been ended.
    const { writableEnded, writableFinished } = response as ServerResponse;
    if (!writableEnded || !writableFinished) {
      abort(new ConnectError("the client closed the request", Code.Canceled));
    }
  };
  const onShutdown = (): void => abort(shutdownSignal?.reason);
  const onDeadline = (): void => abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
  const timer = timeoutMs === undefined ? undefined : setTimeout(onDeadline, Math.min(timeoutMs, 2 ** 31 - 1));
  (response as NodeJS.EventEmitter).on("close", onClose);
  if (shutdownSignal?.aborted === true) onShutdown();
  else shutdownSignal?.addEventListener("abort", onShutdown);
  if (timeoutMs !== undefined && timeoutMs <= 0) onDeadline();

  return {
    service: spec.method.parent,
    method: spec.method,
    protocolName: init.protocolName,
    requestMethod: init.requestMethod,
    url: init.url,
    timeoutMs: () => (deadline === undefined ? undefined : deadline - Date.now()),
    get signal() {
      if (controller === undefined) {
        controller = new AbortController();
        if (isAborted) controller.abort(abortReason);
      }
      return controller.signal;
    },
    get requestHeader() {
      requestHeader ??= init.requestHeader();
      return requestHeader;
    },
    get responseHeader() {
      responseHeader ??= new Headers();
      return responseHeader;
    },
    get responseTrailer() {
      responseTrailer ??= new Headers();
      return responseTrailer;
    },
    get values() {
      values ??= createContextValues();
      return values;
    },
    abort,
    touchedHeader: () => responseHeader,
    touchedTrailer: () => responseTrailer,
    aborted: () => (isAborted ? (abortReason ?? new ConnectError("the call was cancelled", Code.Canceled)) : undefined),
  };
}

type UnarySpec = MethodImplSpec & { kind: "unary" };
type UnaryFunction = ReturnType<Interceptor>;
type UnaryRequest = Parameters<UnaryFunction>[0] & { stream: false };

/**
 * Calls a unary implementation through the interceptors, the first outermost. Does what Connect's own handlers do, only
 * that nothing is made which is not asked for.
 */
export async function invokeUnary(
  spec: UnarySpec,
  call: Call,
  message: Message,
  interceptors: readonly Interceptor[],
): Promise<Message> {
  if (interceptors.length === 0) return create(spec.method.output, await spec.impl(message, call));
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
  if (answer.stream) throw new ConnectError("an interceptor answered a stream to a unary call", Code.Internal);
  replaceHeaders(answer, "header", call.touchedHeader, () => call.responseHeader);
  replaceHeaders(answer, "trailer", call.touchedTrailer, () => call.responseTrailer);
  return answer.message;
}

/** The call as it is, unless an interceptor handed on another request. */
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

/** An interceptor may answer other headers than the call's: then those count. */
function replaceHeaders(
  answer: { header: Headers; trailer: Headers },
  name: "header" | "trailer",
  touched: () => Headers | undefined,
  target: () => Headers,
): void {
  const descriptor = Object.getOwnPropertyDescriptor(answer, name);
  if (descriptor?.get !== undefined) return;
  const from = answer[name];
  if (from === touched()) return;
  const to = target();
  for (const key of [...to.keys()]) to.delete(key);
  from.forEach((value, key) => {
    to.append(key, value);
  });
}
