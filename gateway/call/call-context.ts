import type { ServerResponse } from "node:http";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextValues,
  type HandlerContext,
  type MethodImplSpec,
} from "@connectrpc/connect";
import type { Response } from "../http/body.ts";

/** The inputs of a call context, from which the context is built lazily. */
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
 * The context of one call. Headers, signal and values are created on first access: most calls need few of them, and
 * each costs more than decoding the message. A spread therefore does not copy them; use {@link plainContext}.
 */
export interface Call extends HandlerContext {
  /** Ends the call: stops its timer and aborts its signal. */
  abort(reason?: unknown): void;
  /** The response headers and trailers, if any have been set. */
  touchedHeader(): Headers | undefined;
  touchedTrailer(): Headers | undefined;
  /** The abort reason, if the call was aborted: deadline, client disconnect, or server shutdown. */
  aborted(): unknown;
}

/** Opens the context of a call of the method. */
export function openCall(spec: MethodImplSpec, init: CallInit): Call {
  return new OpenCall(spec, init);
}

/** A copy of the context with all lazy members created, which can be spread. */
export function plainContext(call: Call): HandlerContext {
  const { service, method, protocolName, requestMethod, url, timeoutMs } = call;
  const { signal, requestHeader, responseHeader, responseTrailer, values } = call;
  return {
    service,
    method,
    protocolName,
    requestMethod,
    url,
    timeoutMs,
    signal,
    requestHeader,
    responseHeader,
    responseTrailer,
    values,
  };
}

/** Default abort reason, created once: a DOMException captures a stack, on every call that ends. */
const ended = new DOMException("This operation was aborted", "AbortError");

const noTimeout = (): undefined => undefined;

/** A class, because an object literal with getters takes 4 µs to create: V8 defines them one by one. */
class OpenCall implements Call {
  readonly service: HandlerContext["service"];
  readonly method: HandlerContext["method"];
  readonly protocolName: string;
  readonly requestMethod: string;
  readonly url: string;
  readonly timeoutMs: () => number | undefined;
  readonly #init: CallInit;
  readonly #timer: NodeJS.Timeout | undefined;
  #stopWatching: (() => void) | undefined;
  #controller: AbortController | undefined;
  #isAborted = false;
  #abortReason: unknown;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor({ method }: MethodImplSpec, init: CallInit) {
    this.service = method.parent;
    this.method = method;
    this.protocolName = init.protocolName;
    this.requestMethod = init.requestMethod;
    this.url = init.url;
    this.#init = init;
    this.#values = init.contextValues;
    const { timeoutMs } = init;
    if (timeoutMs === undefined) {
      this.timeoutMs = noTimeout;
      return;
    }
    const deadline = Date.now() + timeoutMs;
    this.timeoutMs = () => deadline - Date.now();
    const onDeadline = (): void => this.abort(new ConnectError("the operation timed out", Code.DeadlineExceeded));
    if (timeoutMs <= 0) onDeadline();
    else this.#timer = setTimeout(onDeadline, Math.min(timeoutMs, 2 ** 31 - 1));
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#watch();
      if (this.#isAborted) this.#controller.abort(this.#abortReason ?? ended);
    }
    return this.#controller.signal;
  }

  get requestHeader(): Headers {
    this.#requestHeader ??= this.#init.requestHeader();
    return this.#requestHeader;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  get values(): ContextValues {
    this.#values ??= createContextValues();
    return this.#values;
  }

  abort(reason?: unknown): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#abortReason = reason;
    clearTimeout(this.#timer);
    this.#stopWatching?.();
    this.#controller?.abort(reason ?? ended);
  }

  touchedHeader(): Headers | undefined {
    return this.#responseHeader;
  }

  touchedTrailer(): Headers | undefined {
    return this.#responseTrailer;
  }

  aborted(): unknown {
    this.#look();
    if (!this.#isAborted) return undefined;
    return this.#abortReason ?? new ConnectError("the call was cancelled", Code.Canceled);
  }

  /** Aborts if the server is shutting down or the client has already disconnected. */
  #look(): void {
    const { response, shutdownSignal } = this.#init;
    if (this.#isAborted) return;
    if (shutdownSignal?.aborted === true) this.abort(shutdownSignal.reason);
    else if (isClosed(response)) this.#leave();
  }

  /** Subscribes to the connection and the server's shutdown only once the signal is in use. */
  #watch(): void {
    this.#look();
    if (this.#isAborted) return;
    const { shutdownSignal } = this.#init;
    const response = this.#init.response as NodeJS.EventEmitter;
    const onClose = (): void => this.#leave();
    const onShutdown = (): void => this.abort(shutdownSignal?.reason);
    response.on("close", onClose);
    shutdownSignal?.addEventListener("abort", onShutdown);
    this.#stopWatching = () => {
      response.off("close", onClose);
      shutdownSignal?.removeEventListener("abort", onShutdown);
    };
  }

  #leave(): void {
    // An HTTP/2 stream that was reset counts as finished although it has not been ended.
    const { writableEnded, writableFinished } = this.#init.response as ServerResponse;
    if (writableEnded && writableFinished) return;
    this.abort(new ConnectError("the client closed the request", Code.Canceled));
  }
}

/** True once the response has emitted `close`. */
function isClosed(response: Response): boolean {
  return "stream" in response ? response.stream.closed : response.closed;
}
