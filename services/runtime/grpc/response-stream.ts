import type { Message } from "@bufbuild/protobuf";
import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { untilAborted } from "../../../gateway/call/abort.ts";
import type { Call } from "../../../gateway/call/call-context.ts";
import { responsesOf } from "../../../gateway/call/invoke.ts";
import { withErrorInfo } from "../interceptors/error-mapping.ts";
import { metadataOf, trailersOf } from "./metadata.ts";
import { finish, idleTimer, refusal } from "./served-call.ts";
import { encode, type ServedMethod } from "./served-method.ts";

/** Writes all responses, at most `maxUnsentBytes` ahead of the caller, and then the status. */
export async function writeResponses(
  wire: ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>,
  call: Call,
  served: ServedMethod,
  messages: (idle: NodeJS.Timeout) => AsyncIterable<Message>,
): Promise<void> {
  const idle = idleTimer(call, served);
  try {
    const write = createWriter(wire, call.signal);
    let begun = false;
    for await (const message of responsesOf(served.spec, call, messages(idle), served.interceptors)) {
      const bytes = encode(message, served);
      idle.refresh();
      if (!begun) {
        begun = true;
        wire.sendMetadata(metadataOf(call.responseHeader));
      }
      await write(bytes);
    }
    // A handler that ends its stream because of an abort has not completed the response.
    if (call.signal.aborted) {
      throw withErrorInfo(call.signal.reason);
    }
    if (!begun) {
      wire.sendMetadata(metadataOf(call.responseHeader));
    }
    wire.end(trailersOf(call.responseTrailer));
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
