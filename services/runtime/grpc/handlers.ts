import type { DescMessage, Message } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor, type MethodImplSpec, type StreamResponse } from "@connectrpc/connect";
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedHandleCall,
} from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { type BinaryRead, binaryReader } from "../../../gateway/codec/binary-reader.ts";
import { type BinaryWrite, binaryWriter } from "../../../gateway/codec/binary-writer.ts";
import { ElementLimitError } from "../../../gateway/codec/element-limit.ts";
import { canceledByCaller, untilAborted } from "../call/abort.ts";
import type { Call } from "../call/call-context.ts";
import type { InFlight } from "../call/in-flight.ts";
import { createMethodInvoker, type MethodInvoker } from "../call/invoke.ts";
import { invalidArgument, resourceExhausted, unavailable } from "../errors.ts";
import { toOutward, withErrorInfo } from "../interceptors/error-mapping.ts";
import type { Logger } from "../telemetry/log.ts";
import type { GrpcCalls } from "./admission.ts";
import { metadataOf, trailersOf } from "./metadata.ts";
import { statusOf } from "./status.ts";

export interface GrpcHandlerOptions {
  readonly interceptors: readonly Interceptor[];
  readonly log: Logger;
  /** Registers calls while they last. */
  readonly inFlight: InFlight;
  /** Begins calls. */
  readonly calls: GrpcCalls;
  /** Request messages with more elements are RESOURCE_EXHAUSTED. */
  readonly maxRequestElements: number;
  /** Idle timeout of a stream, without a message in either direction. */
  readonly idleMs: number;
  /** Whether rejected messages carry `google.rpc` details. */
  readonly detailedRefusals: boolean;
}

type ServerSurfaceCall = Pick<
  ServerUnaryCall<Buffer, Buffer>,
  "getDeadline" | "getPeer" | "metadata" | "sendMetadata"
> & {
  on(event: "cancelled", listener: () => void): unknown;
};

/** Parts of a handler: the method, its invoker, and the limits. */
interface Served extends GrpcHandlerOptions {
  readonly spec: MethodImplSpec;
  readonly invoker: MethodInvoker;
  readonly read: BinaryRead;
  readonly write: BinaryWrite;
}

/** Creates the grpc-js handler of a method. Requests and responses are raw bytes; serialization happens here. */
export function createGrpcHandler(spec: MethodImplSpec, options: GrpcHandlerOptions): UntypedHandleCall {
  const served = {
    ...options,
    spec,
    invoker: createMethodInvoker(spec, options.interceptors),
    read: binaryReader(spec.method.input, { maxElements: options.maxRequestElements }),
    write: binaryWriter(spec.method.output),
  };
  switch (spec.kind) {
    case "unary":
      return unary(served);
    case "client_streaming":
      return clientStreaming(served);
    case "server_streaming":
      return serverStreaming(served);
    case "bidi_streaming":
      return bidiStreaming(served);
    default:
      return spec satisfies never;
  }
}

/** Final status if not even an error could be written. */
const lastResort = { code: status.INTERNAL, details: "internal error" };

/** Runs a handler. Logs any uncaught error and ends the call with it, so that no rejection is unhandled. */
function run(handle: () => Promise<void>, end: (failure: typeof lastResort) => void, { log, spec }: Served): void {
  handle().catch((error: unknown) => {
    const { method } = spec;
    log.error({ err: error, rpc: `${method.parent.typeName}/${method.name}` }, "an rpc's error could not be written");
    try {
      end(lastResort);
    } catch (unended) {
      log.error({ err: unended }, "an rpc could not be ended");
    }
  });
}

function unary(served: Served): handleUnaryCall<Buffer, Buffer> {
  const handle = async (wire: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): Promise<void> => {
    const call = accept(wire, served);
    try {
      const request = decode(wire.request, served);
      const { message, header, trailer } = await served.invoker.unary(request, call);
      const bytes = encode(message, served);
      if (header !== undefined) {
        wire.sendMetadata(metadataOf(header));
      }
      respond(null, bytes, trailersOf(trailer));
    } catch (error) {
      respond(refusal(error, wire, call, served));
    } finally {
      finish(call, served);
    }
  };
  return (wire, respond) => run(() => handle(wire, respond), respond, served);
}

function clientStreaming(served: Served): handleClientStreamingCall<Buffer, Buffer> {
  const handle = async (wire: ServerReadableStream<Buffer, Buffer>, respond: sendUnaryData<Buffer>): Promise<void> => {
    const call = accept(wire, served);
    const idle = idleTimer(call, served);
    try {
      const response = await served.invoker.stream(requests(wire, call, served, idle), call);
      const bytes = encode(await only(response), served);
      wire.sendMetadata(metadataOf(response.header));
      respond(null, bytes, trailersOf(response.trailer));
    } catch (error) {
      respond(refusal(error, wire, call, served));
    } finally {
      clearTimeout(idle);
      finish(call, served);
    }
  };
  return (wire, respond) => run(() => handle(wire, respond), respond, served);
}

function serverStreaming(served: Served): handleServerStreamingCall<Buffer, Buffer> {
  const handle = async (wire: ServerWritableStream<Buffer, Buffer>): Promise<void> => {
    const call = accept(wire, served);
    await answer(wire, call, served, async function* () {
      yield decode(wire.request, served);
    });
  };
  return (wire) =>
    run(
      () => handle(wire),
      (failure) => wire.emit("error", failure),
      served,
    );
}

function bidiStreaming(served: Served): handleBidiStreamingCall<Buffer, Buffer> {
  const handle = async (wire: ServerDuplexStream<Buffer, Buffer>): Promise<void> => {
    const call = accept(wire, served);
    await answer(wire, call, served, (idle) => requests(wire, call, served, idle));
  };
  return (wire) =>
    run(
      () => handle(wire),
      (failure) => wire.emit("error", failure),
      served,
    );
}

/** Begins the call. The `cancelled` event is also emitted after each response, when it is meaningless. */
function accept(wire: ServerSurfaceCall, { spec, inFlight, calls }: Served): Call {
  const call = calls.of(wire.metadata, wire);
  wire.on("cancelled", () => {
    if (!call.hasEnded) {
      call.abort(canceledByCaller());
    }
  });
  inFlight.enter(call, spec.kind === "unary" || spec.kind === "client_streaming" ? "exchange" : "stream");
  return call;
}

function finish(call: Call, { inFlight }: Served): void {
  call.finish();
  inFlight.leave(call);
}

/** Ends a stream that is idle for too long. Restart the timer with `refresh`; it must be cleared. */
function idleTimer(call: Call, { idleMs }: Served): NodeJS.Timeout {
  const message = "the stream was idle for too long; open it again";
  return setTimeout(() => call.abort(unavailable("STREAM_IDLE", message)), idleMs).unref();
}

/** Writes all responses, at most `maxUnsentBytes` ahead of the caller, and then the status. */
async function answer(
  wire: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  call: Call,
  served: Served,
  messages: (idle: NodeJS.Timeout) => AsyncIterable<Message>,
): Promise<void> {
  const idle = idleTimer(call, served);
  try {
    const response = await served.invoker.stream(messages(idle), call);
    const write = createWriter(wire, call.signal);
    let begun = false;
    for await (const message of response.message) {
      const bytes = encode(message, served);
      idle.refresh();
      if (!begun) {
        begun = true;
        wire.sendMetadata(metadataOf(response.header));
      }
      await write(bytes);
    }
    // A handler that ends its stream because of an abort has not completed the response.
    if (call.signal.aborted) {
      throw withErrorInfo(call.signal.reason);
    }
    if (!begun) {
      wire.sendMetadata(metadataOf(response.header));
    }
    wire.end(trailersOf(response.trailer));
  } catch (error) {
    wire.emit("error", refusal(error, wire, call, served));
  } finally {
    clearTimeout(idle);
    finish(call, served);
  }
}

const maxUnsentBytes = 64 * 1024;

/** Writes a message. Resolves when there is room for more; rejects if the call ends first. */
function createWriter(
  wire: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  signal: AbortSignal,
): (bytes: Buffer) => Promise<void> {
  let unsent = 0;
  let roomAgain: (() => void) | undefined;
  return async (bytes) => {
    unsent += bytes.length;
    wire.write(bytes, () => {
      unsent -= bytes.length;
      if (unsent < maxUnsentBytes) {
        roomAgain?.();
      }
    });
    if (unsent >= maxUnsentBytes) {
      const room = new Promise<void>((resolve) => {
        roomAgain = resolve;
      });
      await untilAborted(room, signal).catch((reason) => Promise.reject(withErrorInfo(reason)));
    }
  };
}

async function* requests(
  wire: ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  call: Call,
  served: Served,
  idle: NodeJS.Timeout,
): AsyncGenerator<Message> {
  try {
    // Leaving the loop early must not destroy the stream, because the response is still to be written.
    for await (const bytes of wire.iterator({ destroyOnReturn: false })) {
      idle.refresh();
      yield decode(bytes, served);
    }
  } catch (error) {
    throw call.signal.aborted ? call.signal.reason : error;
  }
}

async function only(response: StreamResponse): Promise<Message> {
  let message: Message | undefined;
  for await (message of response.message);
  if (message === undefined) {
    throw new Error(`${response.method.name} answered without a message`);
  }
  return message;
}

function decode(bytes: Buffer, { read, spec, detailedRefusals }: Served): Message {
  try {
    return read(bytes);
  } catch (error) {
    const refused = undecodable(spec.method.input, error);
    throw detailedRefusals ? refused : new ConnectError(refused.rawMessage, refused.code);
  }
}

function undecodable({ typeName }: DescMessage, cause: unknown): ConnectError {
  if (cause instanceof ElementLimitError) {
    return resourceExhausted("TOO_MANY_ELEMENTS", cause.message, [{ subject: "request", description: cause.message }]);
  }
  const description = `not a valid ${typeName}: ${cause instanceof Error ? cause.message : cause}`;
  return invalidArgument([{ field: "", description }], "MALFORMED_MESSAGE");
}

function encode(message: Message, { write }: Served): Buffer {
  const bytes = write(message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * Converts an error to the final status, after the handler's headers are sent. An error that the interceptors have not
 * mapped is a bug of this wire, and is logged.
 */
function refusal(error: unknown, wire: Pick<ServerSurfaceCall, "sendMetadata">, call: Call, { log, spec }: Served) {
  // Without headers, head and trailers are one frame.
  const { header } = call.touched();
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
