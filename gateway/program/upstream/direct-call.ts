import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { status } from "@grpc/grpc-js";
import { failure, failureOf, failureOfReset } from "./direct-failure.ts";

/** The error code of a stream that its session cannot number, having used all numbers. */
export const outOfStreams = "ERR_HTTP2_OUT_OF_STREAMS";

/** The response to a unary call: the bytes of its message and its trailers. */
export interface DirectResponse {
  readonly message: Buffer;
  readonly trailer: IncomingHttpHeaders;
}

/**
 * Makes a unary gRPC call on a new stream of an HTTP/2 session. Reports the same errors as grpc-js.
 *
 * @param signal cancels the call.
 * @param onHeader called with the headers before the message, whatever follows them.
 * @returns undefined if the server has not processed the call, which can then be retried.
 * @throws ServiceError.
 */
export function callDirectly(
  stream: ClientHttp2Stream,
  message: Uint8Array,
  signal: AbortSignal,
  onHeader: (header: IncomingHttpHeaders) => void,
): Promise<DirectResponse | undefined> {
  return new Promise((resolve, reject) => {
    const { session } = stream;
    let isUsedUp = false;
    const chunks: Buffer[] = [];
    let httpStatus: number | undefined;
    let trailer: IncomingHttpHeaders | undefined;
    const cancel = (): void => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener("abort", cancel, { once: true });
    stream.on("response", (received, flags) => {
      httpStatus = received[":status"];
      if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) onHeader(received);
      else trailer = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("trailers", (received) => {
      trailer = received;
    });
    // The stream's close code identifies the error, except when a session has exhausted its streams.
    stream.on("error", ({ code }: NodeJS.ErrnoException) => {
      isUsedUp = code === outOfStreams;
    });
    stream.on("close", () => {
      signal.removeEventListener("abort", cancel);
      const failed = failureOf(trailer, httpStatus);
      if (failed !== undefined) reject(failed);
      else if (trailer !== undefined) {
        const whole = unwrap(chunks);
        if (typeof whole === "string") reject(failure(status.UNIMPLEMENTED, whole, trailer));
        else resolve({ message: whole, trailer });
      } else if (isUsedUp || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) resolve(undefined);
      else reject(failureOfReset(stream.rstCode ?? 0, session?.destroyed === true && !signal.aborted));
    });
    stream.end(frame(message));
  });
}

/** A message in gRPC's framing: uncompressed, with a length prefix. */
function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  return framed;
}

/** The single message of a response, or the reason why it is invalid. */
function unwrap(chunks: readonly Buffer[]): Buffer | string {
  const [first] = chunks;
  if (first === undefined) return "No message received";
  const bytes = chunks.length === 1 ? first : Buffer.concat(chunks);
  if (bytes.length < 5) return "No message received";
  if (bytes[0] !== 0) return "The message is compressed, which was not asked for";
  const end = 5 + bytes.readUInt32BE(1);
  if (bytes.length < end) return "No message received";
  return bytes.length > end ? "Too many responses received" : bytes.subarray(5);
}
