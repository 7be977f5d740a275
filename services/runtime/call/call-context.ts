import type { DescMethod } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { canceledByCaller, deadlineExceeded } from "../../../gateway/call/abort.ts";
import { clientAddressKey, inheritValues } from "../context-values.ts";

/** Properties of a call that a Connect request has no field for. */
interface Wire {
  /** `grpc` or `local`. Calls through Connect's own handlers have no `Wire`. */
  readonly name: "grpc" | "local";
  /** Remaining time in milliseconds; undefined without a deadline. */
  timeoutMs(): number | undefined;
  /** Headers set by the handler. They are kept apart from the response so that failed calls carry them too. */
  readonly responseHeader: Headers;
  readonly responseTrailer: Headers;
}

/** Set by the gRPC and local wires on each call's context values. */
export const wireKey = createContextKey<Wire | undefined>(undefined, {
  description: "wire",
});

/** A call on one of these wires, from its first byte to its last. */
export interface Call extends Wire {
  readonly header: Headers;
  readonly values: ContextValues;
  /** Aborted by the deadline, by the caller, and at the end of the call. The reason is always a ConnectError. */
  readonly signal: AbortSignal;
  /** Whether the call was aborted or finished. Reading it does not create a signal. */
  readonly hasEnded: boolean;
  /** The response's headers and trailers, each undefined if it was never accessed. */
  touched(): { readonly header: Headers | undefined; readonly trailer: Headers | undefined };
  /** Aborts the call with `reason`, unless it has ended. */
  abort(reason: ConnectError): void;
  /** Must be called after the last byte was sent: clears the deadline's timer and the signal's listeners. */
  finish(): void;
}

export interface CallInit {
  readonly wire: Wire["name"];
  readonly header: () => Headers;
  readonly timeoutMs: number | undefined;
  /** Returns the caller's address, for `clientAddressKey`. */
  readonly clientAddress?: (() => string) | undefined;
  /** Context values, which only a caller in the same process can provide: none come from a network. */
  readonly values?: ContextValues | undefined;
  /** Cancels the call when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Longest delay of a Node timer. Later deadlines are not enforced. */
const maxTimerMs = 2 ** 31 - 1;

/** Shared, because an abort without a reason creates a DOMException with a stack trace on every call. */
const finished = new ConnectError("the call has ended", Code.Canceled);

/** Begins a call and starts its deadline. Its headers, signal and values are created on first access. */
export function beginCall(init: CallInit): Call {
  return new BegunCall(init);
}

class BegunCall implements Call {
  readonly name: Wire["name"];
  readonly #init: CallInit;
  readonly #deadlineAt: number | undefined;
  readonly #onCancel: (() => void) | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  #controller: AbortController | undefined;
  #reason: ConnectError | undefined;
  #header: Headers | undefined;
  #responseHeader: Headers | undefined;
  #responseTrailer: Headers | undefined;
  #values: ContextValues | undefined;

  constructor(init: CallInit) {
    const { timeoutMs, signal } = init;
    this.name = init.wire;
    this.#init = init;
    this.#deadlineAt = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    if (signal?.aborted === true) {
      this.abort(cancelReason(signal.reason));
    } else if (timeoutMs !== undefined && timeoutMs <= 0) {
      this.abort(deadlineExceeded());
    } else {
      if (signal !== undefined) {
        this.#onCancel = () => this.abort(cancelReason(signal.reason));
        signal.addEventListener("abort", this.#onCancel);
      }
      if (timeoutMs !== undefined && timeoutMs <= maxTimerMs) {
        this.#timer = setTimeout(() => this.abort(deadlineExceeded()), timeoutMs);
      }
    }
  }

  get header(): Headers {
    this.#header ??= this.#init.header();
    return this.#header;
  }

  get values(): ContextValues {
    if (this.#values === undefined) {
      const { values } = this.#init;
      this.#values = values === undefined ? createContextValues() : inheritValues(values);
      this.#values.set(wireKey, this);
      if (this.#init.clientAddress !== undefined) {
        this.#values.set(clientAddressKey, this.#init.clientAddress());
      }
    }
    return this.#values;
  }

  get responseHeader(): Headers {
    this.#responseHeader ??= new Headers();
    return this.#responseHeader;
  }

  get responseTrailer(): Headers {
    this.#responseTrailer ??= new Headers();
    return this.#responseTrailer;
  }

  touched(): ReturnType<Call["touched"]> {
    return { header: this.#responseHeader, trailer: this.#responseTrailer };
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) {
        this.#controller.abort(this.#reason);
      }
    }
    return this.#controller.signal;
  }

  get hasEnded(): boolean {
    return this.#reason !== undefined;
  }

  timeoutMs(): number | undefined {
    return this.#deadlineAt === undefined ? undefined : this.#deadlineAt - performance.now();
  }

  abort(reason: ConnectError): void {
    if (this.#reason !== undefined) {
      return;
    }
    this.#reason = reason;
    clearTimeout(this.#timer);
    if (this.#onCancel !== undefined) {
      this.#init.signal?.removeEventListener("abort", this.#onCancel);
    }
    this.#controller?.abort(reason);
  }

  finish(): void {
    this.abort(finished);
  }
}

/** Creates the handler's context of a call from the request that passed the interceptors. */
export function handlerContext(
  method: DescMethod,
  request: {
    header: Headers;
    url: string;
    signal: AbortSignal;
    contextValues: ContextValues;
  },
): HandlerContext {
  const wire = request.contextValues.get(wireKey);
  return {
    service: method.parent,
    method,
    protocolName: wire?.name ?? "local",
    requestMethod: "POST",
    url: request.url,
    signal: request.signal,
    timeoutMs: () => wire?.timeoutMs(),
    requestHeader: request.header,
    responseHeader: wire?.responseHeader ?? new Headers(),
    responseTrailer: wire?.responseTrailer ?? new Headers(),
    values: request.contextValues,
  };
}

/** Passes on a parent's deadline error; any other reason becomes a cancellation by the caller. */
function cancelReason(reason: unknown): ConnectError {
  if (reason instanceof ConnectError) {
    return reason;
  }
  if (reason instanceof Error && reason.name === "TimeoutError") {
    return deadlineExceeded();
  }
  return canceledByCaller(reason);
}
