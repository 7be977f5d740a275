import type { DescMethod } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import { inheritValues } from "../context-values.ts";
import { callerLeft, deadlineExceeded } from "./abort.ts";

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
export interface Call {
  readonly header: Headers;
  readonly values: ContextValues;
  /** What the handler has set so far. */
  readonly responseHeader: Headers;
  readonly responseTrailer: Headers;
  /** Aborted by the deadline, by the caller, and when the call has ended. The reason is always a ConnectError. */
  readonly signal: AbortSignal;
  /** Ends the call for `reason` unless it has ended. */
  abort(reason: ConnectError): void;
  /** Must be called once the last byte is out: stops the deadline's timer and lets go of whatever listens to the signal. */
  finish(): void;
}

export interface CallInit {
  readonly wire: Wire["name"];
  readonly header: Headers;
  readonly timeoutMs: number | undefined;
  /** Only a caller in the same process can give context values: nothing on a network becomes one. */
  readonly values?: ContextValues | undefined;
  /** Aborting it cancels the call. */
  readonly signal?: AbortSignal | undefined;
}

/** The longest delay that a timer of Node takes; a later deadline is as good as none. */
const maxTimerMs = 2 ** 31 - 1;

/** Shared, because an abort without a reason makes a DOMException with its stack, on every call. */
const finished = new ConnectError("the call has ended", Code.Canceled);

/** Begins a call: its deadline runs from here. */
export function beginCall(init: CallInit): Call {
  const controller = new AbortController();
  const { timeoutMs } = init;
  const deadlineAt = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  const values = init.values === undefined ? createContextValues() : inheritValues(init.values);
  const responseHeader = new Headers();
  const responseTrailer = new Headers();
  values.set(wireKey, {
    name: init.wire,
    timeoutMs: () => (deadlineAt === undefined ? undefined : deadlineAt - performance.now()),
    responseHeader,
    responseTrailer,
  });

  let timer: NodeJS.Timeout | undefined;
  const abort = (reason: ConnectError) => {
    clearTimeout(timer);
    init.signal?.removeEventListener("abort", onCancel);
    if (!controller.signal.aborted) {
      controller.abort(reason);
    }
  };
  const onCancel = () => abort(cancelReason(init.signal?.reason));

  if (init.signal?.aborted === true) {
    onCancel();
  } else if (timeoutMs !== undefined && timeoutMs <= 0) {
    abort(deadlineExceeded());
  } else {
    init.signal?.addEventListener("abort", onCancel);
    if (timeoutMs !== undefined && timeoutMs <= maxTimerMs) {
      timer = setTimeout(() => abort(deadlineExceeded()), timeoutMs);
    }
  }
  return {
    header: init.header,
    values,
    responseHeader,
    responseTrailer,
    signal: controller.signal,
    abort,
    finish: () => abort(finished),
  };
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
  return callerLeft(reason);
}
