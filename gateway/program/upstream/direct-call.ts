import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";

/** The response to a unary call: the bytes of its message and its trailers. */
export interface DirectResponse {
  readonly message: Buffer;
  readonly trailer: IncomingHttpHeaders;
}

/**
 * Makes a unary gRPC call as a stream of an open HTTP/2 session. Reports the same errors as grpc-js.
 *
 * @param signal cancels the call.
 * @param onHeader called with the headers before the message, whatever follows them.
 * @returns undefined if the server has not processed the call, which can then be retried.
 * @throws ServiceError.
 */
export function callDirectly(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  message: Uint8Array,
  signal: AbortSignal,
  onHeader: (header: IncomingHttpHeaders) => void,
): Promise<DirectResponse | undefined> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(failure(status.CANCELLED, "Cancelled on client"));
      return;
    }
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(headers);
    } catch {
      // The session accepts no more calls, or HTTP/2 rejects a header: grpc-js will report which.
      resolve(undefined);
      return;
    }
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
      if (code !== "ERR_HTTP2_OUT_OF_STREAMS") return;
      isUsedUp = true;
      session.close();
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
      else reject(failureOfReset(stream.rstCode ?? 0, session.destroyed && !signal.aborted));
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

/** The error of a gRPC status, or of the HTTP status of a server that is not gRPC; undefined for success. */
function failureOf(trailer: IncomingHttpHeaders | undefined, httpStatus = 200): ServiceError | undefined {
  const said = trailer?.["grpc-status"];
  if (said === undefined) {
    if (httpStatus !== 200) return failure(codeOfHttp(httpStatus), `Received HTTP status code ${httpStatus}`);
    return trailer && failure(status.UNKNOWN, "The server ended the call without a status", trailer);
  }
  return said === "0" ? undefined : failure(Number(said), decodeMessage(trailer?.["grpc-message"]), trailer);
}

/** gRPC codes for HTTP statuses: grpc/doc/http-grpc-status-mapping.md. */
function codeOfHttp(httpStatus: number): status {
  switch (httpStatus) {
    case 400:
      return status.INTERNAL;
    case 401:
      return status.UNAUTHENTICATED;
    case 403:
      return status.PERMISSION_DENIED;
    case 404:
      return status.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return status.UNAVAILABLE;
    default:
      return status.UNKNOWN;
  }
}

/** gRPC codes for reset streams: grpc/doc/PROTOCOL-HTTP2.md, "Errors". */
function failureOfReset(code: number, dropped: boolean): ServiceError {
  if (dropped) return failure(status.UNAVAILABLE, "Connection dropped");
  switch (code) {
    case constants.NGHTTP2_CANCEL:
      return failure(status.CANCELLED, "Call cancelled");
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return failure(status.RESOURCE_EXHAUSTED, "Bandwidth exhausted or memory limit exceeded");
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return failure(status.PERMISSION_DENIED, "Protocol not secure enough");
    case constants.NGHTTP2_NO_ERROR:
      return failure(status.INTERNAL, `Received RST_STREAM with code ${code} (Call ended without gRPC status)`);
    case constants.NGHTTP2_INTERNAL_ERROR:
      return failure(status.INTERNAL, `Received RST_STREAM with code ${code} (Internal server error)`);
    default:
      return failure(status.INTERNAL, `Received RST_STREAM with code ${code}`);
  }
}

function failure(code: status, details: string, trailer?: IncomingHttpHeaders): ServiceError {
  const metadata = trailer === undefined ? new Metadata() : Metadata.fromHttp2Headers(trailer);
  return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata });
}

/** Decodes the percent-encoded `grpc-message`; a malformed one is returned unchanged. */
function decodeMessage(message: string | string[] | undefined): string {
  const text = String(message ?? "");
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
