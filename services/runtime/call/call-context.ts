import type { DescMethod } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { clientAddressKey, inheritValues } from "../context-values.ts";
import { canceledByCaller, deadlineExceeded } from "./abort.ts";

/** What the wire knows about a call and a Connect request has no field for. */
interface Wire {
  /** `grpc` or `local`. Calls that came through Connect's own handlers have no `Wire`. */
  readonly name: "grpc" | "local";
  /** Milliseconds left, counted when asked; undefined without a deadline. */
  timeoutMs(): number | undefined;
  /** What the handler sets, here and not in its answer, so that a call that fails has it too. */
  readonly responseHeader: Headers;
  readonly responseTrailer: Headers;
}

/** Set by our own wires on each call's context values. */
export const wireKey = createContextKey<Wire | undefined>(undefined, {
  description: "wire",
});

/** One call on one of our own wires, from its first byte to its last. */
export interface Call extends Wire {
  readonly header: Headers;
  readonly values: ContextValues;
  /** Aborted by the deadline, by the caller, and when the call has ended. The reason is always a ConnectError. */
  readonly signal: AbortSignal;
  /** True once it was aborted or finished; asking makes no signal. */
  readonly hasEnded: boolean;
  /** The response's headers and trailers where somebody has asked for them. */
  touched(): { readonly header: Headers | undefined; readonly trailer: Headers | undefined };
  /** Ends the call for `reason` unless it has ended. */
  abort(reason: ConnectError): void;
  /** Must be called once the last byte is out: stops the deadline's timer and lets go of whatever listens to the signal. */
  finish(): void;
}

export interface CallInit {
  readonly wire: Wire["name"];
  readonly header: () => Headers;
  readonly timeoutMs: number | undefined;
  /** Where the call comes from, for `clientAddressKey`. */
  readonly clientAddress?: (() => string) | undefined;
  /** Only a caller in the same process can give context values: nothing on a network becomes one. */
  readonly values?: ContextValues | undefined;
  /** Aborting it cancels the call. */
  readonly signal?: AbortSignal | undefined;
}

/** The longest delay that a timer of Node takes; a later deadline is as good as none. */
const maxTimerMs = 2 ** 31 - 1;

/** Shared, because an abort without a reason makes a DOMException with its stack, on every call. */
const finished = new ConnectError("the call has ended", Code.Canceled);

/** Begins a call: its deadline runs from here. Its header, signal and values are made when they are asked for. */
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

/** The handler's view of a call, made from what came through the interceptors. */
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

/** Aborted parents pass their deadline on; any other reason is a cancellation by the caller. */
function cancelReason(reason: unknown): ConnectError {
  if (reason instanceof ConnectError) {
    return reason;
  }
  if (reason instanceof Error && reason.name === "TimeoutError") {
    return deadlineExceeded();
  }
  return canceledByCaller(reason);
}
