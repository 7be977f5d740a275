import type { DescMethod } from "@bufbuild/protobuf";
import { Code, ConnectError, type ContextValues, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { deadlineExceeded } from "./abort.ts";
import type { Cancellation } from "./cancellation.ts";

/** The inputs of a call. Functions are called at most once, when their result is first needed. */
export interface CallInit {
  /** The wire: `rest`, `connect`, `grpc-web`, `grpc` or `local`. */
  readonly protocolName: string;
  /** Default: POST. */
  readonly requestMethod?: string;
  readonly url: string;
  readonly requestHeader: () => Headers;
  /** Time until the deadline in milliseconds; undefined without one. */
  readonly timeoutMs: number | undefined;
  /** What cancels the call. Watched only once its signal is in use. */
  readonly cancellation?: Cancellation | undefined;
  /** Default: empty values. */
  readonly values?: ContextValues | (() => ContextValues) | undefined;
}

/**
 * One call on any wire, from its first byte to its last, and the context of its handler. Headers, signal and values are
 * created on first access: most calls need few of them, and each costs more than decoding the message. A spread
 * therefore does not copy them.
 */
export interface Call extends HandlerContext {
  /** True once the call was aborted or has finished. Reading it does not create a signal. */
  readonly hasEnded: boolean;
  /** Aborts the call with `reason`, unless it has ended. */
  abort(reason: unknown): void;
  /** Must be called after the last byte was sent: stops the deadline's timer and the watch, and aborts the signal. */
  finish(): void;
  /** The abort reason if the call has ended: deadline, client disconnect, server shutdown, or completion. */
  aborted(): unknown;
  /** The response headers and trailers, if they have been accessed. */
  touchedHeader(): Headers | undefined;
  touchedTrailer(): Headers | undefined;
}

/** Begins a call of the method, and starts its deadline. */
export function beginCall(method: DescMethod, init: CallInit): Call {
  return new BegunCall(method, init);
}

/** Longest delay of a Node timer. Later deadlines are not enforced. */
const maxTimerMs = 2 ** 31 - 1;

/** Shared, because an error captures a stack, on every call that ends. */
const finished = new ConnectError("the call has ended", Code.Canceled);

const noTimeout = (): undefined => undefined;

/** A class, because an object literal with getters takes 4 µs to create: V8 defines them one by one. */
class BegunCall implements Call {
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
  #hasEnded = false;
  #reason: unknown;
  #requestHeader: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor(method: DescMethod, init: CallInit) {
    this.service = method.parent;
    this.method = method;
    this.protocolName = init.protocolName;
    this.requestMethod = init.requestMethod ?? "POST";
    this.url = init.url;
    this.#init = init;
    const { timeoutMs } = init;
    if (timeoutMs === undefined) {
      this.timeoutMs = noTimeout;
      return;
    }
    const deadline = performance.now() + timeoutMs;
    this.timeoutMs = () => deadline - performance.now();
    if (timeoutMs <= 0) this.abort(deadlineExceeded());
    else if (timeoutMs <= maxTimerMs) this.#timer = setTimeout(() => this.abort(deadlineExceeded()), timeoutMs);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      this.#check();
      if (this.#hasEnded) this.#controller.abort(this.#reason);
      else this.#stopWatching = this.#init.cancellation?.watch((reason) => this.abort(reason));
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
    if (this.#values === undefined) {
      const { values } = this.#init;
      this.#values = (typeof values === "function" ? values() : values) ?? createContextValues();
    }
    return this.#values;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  abort(reason: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#stopWatching?.();
    this.#controller?.abort(reason);
  }

  finish(): void {
    this.abort(finished);
  }

  aborted(): unknown {
    this.#check();
    return this.#reason;
  }

  touchedHeader(): Headers | undefined {
    return this.#responseHeader;
  }

  touchedTrailer(): Headers | undefined {
    return this.#responseTrailer;
  }

  #check(): void {
    if (!this.#hasEnded) this.#init.cancellation?.check((reason) => this.abort(reason));
  }
}
