import type { Message } from "@bufbuild/protobuf";
import type { MethodImplSpec } from "@connectrpc/connect";
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
import type { Call } from "../../../gateway/call/call-context.ts";
import { invokeUnary, responsesOf } from "../../../gateway/call/invoke.ts";
import { metadataOf, trailersOf } from "./metadata.ts";
import { writeResponses } from "./response-stream.ts";
import { accept, finish, idleTimer, refusal } from "./served-call.ts";
import { createServedMethod, decode, encode, type GrpcHandlerOptions, type ServedMethod } from "./served-method.ts";

/** Creates the grpc-js handler of a method. Requests and responses are raw bytes; serialization happens here. */
export function createGrpcHandler(spec: MethodImplSpec, options: GrpcHandlerOptions): UntypedHandleCall {
  const served = createServedMethod(spec, options);
  switch (spec.kind) {
    case "unary":
      return unary(spec, served);
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
function run(
  handle: () => Promise<void>,
  end: (failure: typeof lastResort) => void,
  { log, spec }: ServedMethod,
): void {
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

function unary(spec: MethodImplSpec & { kind: "unary" }, served: ServedMethod): handleUnaryCall<Buffer, Buffer> {
  const handle = async (wire: ServerUnaryCall<Buffer, Buffer>, respond: sendUnaryData<Buffer>): Promise<void> => {
    const call = accept(wire, served);
    try {
      const request = decode(wire.request, served);
      const bytes = encode(await invokeUnary(spec, call, request, served.interceptors), served);
      const header = call.touchedHeader();
      if (header !== undefined) {
        wire.sendMetadata(metadataOf(header));
      }
      respond(null, bytes, trailersOf(call.touchedTrailer()));
    } catch (error) {
      respond(refusal(error, wire, call, served));
    } finally {
      finish(call, served);
    }
  };
  return (wire, respond) => run(() => handle(wire, respond), respond, served);
}

function clientStreaming(served: ServedMethod): handleClientStreamingCall<Buffer, Buffer> {
  const handle = async (wire: ServerReadableStream<Buffer, Buffer>, respond: sendUnaryData<Buffer>): Promise<void> => {
    const call = accept(wire, served);
    const idle = idleTimer(call, served);
    try {
      const responses = responsesOf(served.spec, call, requests(wire, call, served, idle), served.interceptors);
      const bytes = encode(await only(responses, served), served);
      wire.sendMetadata(metadataOf(call.responseHeader));
      respond(null, bytes, trailersOf(call.responseTrailer));
    } catch (error) {
      respond(refusal(error, wire, call, served));
    } finally {
      clearTimeout(idle);
      finish(call, served);
    }
  };
  return (wire, respond) => run(() => handle(wire, respond), respond, served);
}

function serverStreaming(served: ServedMethod): handleServerStreamingCall<Buffer, Buffer> {
  const handle = async (wire: ServerWritableStream<Buffer, Buffer>): Promise<void> => {
    const call = accept(wire, served);
    await writeResponses(wire, call, served, async function* () {
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

function bidiStreaming(served: ServedMethod): handleBidiStreamingCall<Buffer, Buffer> {
  const handle = async (wire: ServerDuplexStream<Buffer, Buffer>): Promise<void> => {
    const call = accept(wire, served);
    await writeResponses(wire, call, served, (idle) => requests(wire, call, served, idle));
  };
  return (wire) =>
    run(
      () => handle(wire),
      (failure) => wire.emit("error", failure),
      served,
    );
}

async function* requests(
  wire: ServerReadableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  call: Call,
  served: ServedMethod,
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

async function only(responses: AsyncIterable<Message>, { spec }: ServedMethod): Promise<Message> {
  let message: Message | undefined;
  for await (message of responses);
  if (message === undefined) {
    throw new Error(`${spec.method.name} answered without a message`);
  }
  return message;
}
