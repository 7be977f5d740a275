import { ConnectError } from "@connectrpc/connect";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { canceledByCaller } from "../../../gateway/call/abort.ts";
import type { Call } from "../../../gateway/call/call-context.ts";
import { unavailable } from "../errors.ts";
import { toOutward } from "../interceptors/error-mapping.ts";
import { metadataOf } from "./metadata.ts";
import type { ServedMethod } from "./served-method.ts";
import { statusOf } from "./status.ts";

/** What the four kinds of grpc-js calls have in common. */
type ServerSurfaceCall = Pick<
  ServerUnaryCall<Buffer, Buffer>,
  "getDeadline" | "getPeer" | "metadata" | "sendMetadata"
> & {
  on(event: "cancelled", listener: () => void): unknown;
};

/** Begins the call. The `cancelled` event is also emitted after each response, when it is meaningless. */
export function accept(wire: ServerSurfaceCall, { spec, inFlight, calls }: ServedMethod): Call {
  const call = calls.of(wire.metadata, wire, spec.method);
  wire.on("cancelled", () => {
    if (!call.hasEnded) {
      call.abort(canceledByCaller());
    }
  });
  inFlight.enter(call, spec.kind === "unary" || spec.kind === "client_streaming" ? "exchange" : "stream");
  return call;
}

export function finish(call: Call, { inFlight }: ServedMethod): void {
  call.finish();
  inFlight.leave(call);
}

/** Ends a stream that is idle for too long. Restart the timer with `refresh`; it must be cleared. */
export function idleTimer(call: Call, { idleMs }: ServedMethod): NodeJS.Timeout {
  const message = "the stream was idle for too long; open it again";
  return setTimeout(() => call.abort(unavailable("STREAM_IDLE", message)), idleMs).unref();
}

/**
 * Converts an error to the final status, after the handler's headers are sent. An error that the interceptors have not
 * mapped is a bug of this wire, and is logged.
 */
export function refusal(
  error: unknown,
  wire: Pick<ServerSurfaceCall, "sendMetadata">,
  call: Call,
  { log, spec }: ServedMethod,
) {
  // Without headers, head and trailers are one frame.
  const header = call.touchedHeader();
  if (header !== undefined && !header.keys().next().done) {
    wire.sendMetadata(metadataOf(header));
  }
  if (error instanceof ConnectError) {
    return statusOf(error, call.responseTrailer);
  }
  const outward = toOutward(error, { signal: call.signal, contextValues: call.values });
  if (outward.cause === error) {
    log.error({ err: error, rpc: `${spec.method.parent.typeName}/${spec.method.name}` }, "rpc failed on the wire");
  }
  return statusOf(outward, call.responseTrailer);
}
