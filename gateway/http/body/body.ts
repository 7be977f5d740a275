import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import type { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { maxExpandedBytes } from "../../codec/expansion.ts";
import { gatewayError } from "../../errors.ts";
import type { DecodeBudget } from "../limits/decode-budget.ts";
import type { CutReason, RequestMeter } from "../limits/request-meter.ts";
import {
  assertEncoding,
  bodyTooLarge,
  createDecoder,
  decodeBody,
  expandsTooFar,
  malformedEncoding,
  refuseEncoding,
} from "./content-encoding.ts";
import { scanEnvelopes } from "./envelope-scanner.ts";

/** A request of node:http or node:http2. */
export type Request = IncomingMessage | Http2ServerRequest;
/** The response to a {@link Request}. */
export type Response = ServerResponse | Http2ServerResponse;

/** The error of a call whose client has disconnected: CANCELLED, logged as 499. */
export function clientDisconnected(): ConnectError {
  return new ConnectError("the client closed the request", Code.Canceled);
}

/** False if the head of the request declares that it has no body. */
export function hasBody(request: Request): boolean {
  if ("stream" in request) return !request.stream.endAfterHeaders;
  const { headers } = request;
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/**
 * Waits for a body that arrived together with the head, which Node reads in the same turn of the event loop, so that an
 * early response need not close the connection. Undefined if there is no body left to read.
 */
export function bodyOfSameTurn(request: Request): Promise<void> | undefined {
  return request.complete || !hasBody(request) ? undefined : nextTurn();
}

/** Limits for reading a whole body. */
export interface BodyLimits {
  /** Maximum size, both compressed and decompressed. */
  readonly maxBytes: number;
  /** Meters the body while it arrives. */
  readonly meter: RequestMeter;
  /** Shared by all bodies that are being decompressed. */
  readonly budget?: DecodeBudget | undefined;
}

/**
 * Reads a whole body and decodes its Content-Encoding.
 *
 * @throws ConnectError. Before anything is read: 415 for an unknown encoding, and 413 for a `Content-Length` above
 * `maxBytes`. While reading: 413 above `maxBytes` (the excess is discarded, never kept) or above the expansion limit,
 * 408 if it arrives too slowly, 503 if unfinished bodies use too much memory, 429 if too many are being decompressed,
 * CANCELLED if the client disconnects.
 */
export function readBody(request: Request, limits: BodyLimits): Promise<Buffer> {
  const { maxBytes, budget } = limits;
  const encoding = request.headers["content-encoding"];
  if (encoding === undefined) return readRaw(request, limits);
  assertEncoding(encoding);
  return readRaw(request, limits).then((body) => decodeBody(body, encoding, maxBytes, budget));
}

/**
 * Reads a whole body that must have no Content-Encoding, because the sender signed its bytes.
 *
 * @throws ConnectError: 415 for an encoding, 413 and CANCELLED as {@link readBody}.
 */
export async function readUnencoded(request: Request, limits: BodyLimits): Promise<Buffer> {
  refuseEncoding(request.headers["content-encoding"]);
  return readRaw(request, limits);
}

/** Reads a whole body without decoding it. @throws as {@link readBody}. */
export function readRaw(request: Request, { maxBytes, meter }: BodyLimits): Promise<Buffer> {
  const length = request.headers["content-length"];
  if (length !== undefined && Number(length) > maxBytes) return Promise.reject(bodyTooLarge(maxBytes));
  return new Promise<Buffer>((resolve, reject) => {
    const incoming = request as IncomingMessage;
    const chunks: Buffer[] = [];
    let size = 0;
    let ended = false;
    let refused = false;
    const refuse = (error: ConnectError): void => {
      refused = true;
      chunks.length = 0;
      received.end();
      reject(error);
    };
    const received = meter.begin(connectionOf(request), (reason) => refuse(cut(request, reason)));
    incoming.on("data", (chunk: Buffer) => {
      if (refused) return;
      size += chunk.length;
      if (size > maxBytes) {
        refuse(bodyTooLarge(maxBytes));
        return;
      }
      chunks.push(chunk);
      received.add(chunk.length);
    });
    incoming.on("end", () => {
      ended = true;
      received.end();
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    const onGone = (): void => {
      // `close` also follows a complete body, and an unused error would cost as much as reading the body.
      if (ended) return;
      received.end();
      reject(clientDisconnected());
    };
    incoming.on("error", onGone);
    incoming.on("close", onGone);
  });
}

/** The connection of a request, for limits per connection. */
export function connectionOf(request: Request): object {
  return "stream" in request ? (request.stream.session ?? request.stream) : request.socket;
}

/** Time for the client of an aborted request to read the error, in milliseconds. */
const cutAfterMs = 1000;

/**
 * The error of a request that is not read to its end: 408 if it arrives too slowly, 503 if unfinished requests use too
 * much memory. Closes the request once the error has had time to arrive.
 */
export function cut(request: Request, reason: CutReason): ConnectError {
  setTimeout(() => {
    if ("stream" in request) request.stream.close(constants.NGHTTP2_CANCEL);
    else if (!request.complete) request.socket.destroy();
  }, cutAfterMs).unref();
  return reason === "slow"
    ? gatewayError({
        code: Code.DeadlineExceeded,
        reason: "REQUEST_TOO_SLOW",
        message: "the request body arrives too slowly; send it faster or in smaller requests",
        httpStatus: 408,
        headers: { Connection: "close" },
      })
    : gatewayError({
        code: Code.Unavailable,
        reason: "SERVER_BUSY",
        message: "the server is receiving too many large requests at once; try again",
        headers: { Connection: "close", "Retry-After": "1" },
      });
}

/**
 * Discards the rest of a request once its response is sent. A handler that responds early, after an error in a stream,
 * has started to read and stopped. Otherwise an HTTP/1 connection would never reach the client's next request, and an
 * HTTP/2 client would wait for flow-control window to send the rest.
 */
export function discardRest(request: Request, response: Response): void {
  if ("stream" in request) {
    const { stream } = request;
    // A response through Node's own API always ends with trailers, which it sends in the turn after this event.
    stream.once("wantTrailers", () => setImmediate(() => stopSending(stream)));
    return;
  }
  (response as ServerResponse).once("finish", () => {
    if (request.readableEnded) return;
    request.removeAllListeners("readable");
    // The stream removes its listeners only on the next tick; before that it would not flow.
    setImmediate(() => request.resume());
  });
}

/**
 * Stops an HTTP/2 client from sending the rest of a request whose response has ended: RST_STREAM with NO_ERROR (RFC
 * 9113, section 8.1). Node sends it after the response.
 */
export function stopSending(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
}

/**
 * Sends a response with a whole body. On HTTP/2 all of it, including the end, is sent in one turn: some clients reset
 * their request after the head of an early response, so nothing may be left to send by then.
 */
export function sendResponse(response: Response, status: number, headers: OutgoingHttpHeaders, body: Uint8Array): void {
  headers["content-length"] = body.length;
  if (!("stream" in response)) {
    response.writeHead(status, headers).end(body);
    return;
  }
  const { stream } = response;
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ...response.getHeaders(), ...headers, ":status": status });
  stream.end(body);
  stopSending(stream);
}

/**
 * The body as it arrives, without decoding. A consumer that stops reading does not affect the request: destroying it,
 * as a stream's own iterator does, would close the connection under the response.
 *
 * @throws ConnectError CANCELLED if the client disconnects.
 */
export async function* undecodedBody(request: Request): AsyncGenerator<Buffer> {
  try {
    yield* (request as IncomingMessage).iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  } catch {
    throw clientDisconnected();
  }
}

/**
 * The body of a single-message request, as it arrives and without decoding.
 *
 * @throws ConnectError: DEADLINE_EXCEEDED if it arrives too slowly, UNAVAILABLE if unfinished bodies use too much
 * memory, CANCELLED if the client disconnects.
 */
export async function* meteredBody(request: Request, meter: RequestMeter): AsyncGenerator<Buffer> {
  const chunks = undecodedBody(request);
  const { promise: whenCut, reject } = Promise.withResolvers<never>();
  // May reject while nothing awaits it.
  whenCut.catch(() => undefined);
  const received = meter.begin(connectionOf(request), (reason) => reject(cut(request, reason)));
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), whenCut]);
      if (next.done === true) return;
      received.add(next.value.length);
      yield next.value;
    }
  } finally {
    received.end();
  }
}

/** Counts the buffered bytes of a stream's unfinished message towards the memory limit of the process. */
export interface HeldMessage {
  /** Counts buffered bytes. @throws ConnectError UNAVAILABLE if unfinished messages use too much memory. */
  add(bytes: number): void;
  /** Marks the message as complete. */
  next(): void;
  /** Marks the stream as ended. Repeatable. */
  end(): void;
}

/** Starts to count the messages of a streaming request. They may pause indefinitely. */
export function holdMessages(request: Request, meter: RequestMeter): HeldMessage {
  let refusal: ConnectError | undefined;
  const received = meter.begin(
    connectionOf(request),
    (reason) => {
      refusal = cut(request, reason);
    },
    false,
  );
  return {
    add(bytes) {
      received.add(bytes);
      if (refusal !== undefined) throw refusal;
    },
    next: () => received.next(),
    end: () => received.end(),
  };
}

/**
 * The body of a streaming request with enveloped messages (five bytes that include the length of what follows), as it
 * arrives. Incomplete messages are counted.
 *
 * @throws ConnectError UNAVAILABLE if unfinished messages use too much memory, CANCELLED if the client disconnects.
 */
export async function* envelopedBody(request: Request, meter: RequestMeter): AsyncGenerator<Buffer> {
  const held = holdMessages(request, meter);
  const scanner = scanEnvelopes({ bytes: (count) => held.add(count), end: () => held.next() });
  try {
    for await (const chunk of undecodedBody(request)) {
      scanner.add(chunk);
      yield chunk;
    }
  } finally {
    held.end();
  }
}

/**
 * The body as it arrives, decoded from its Content-Encoding, with backpressure.
 *
 * @throws ConnectError: 415 for an unknown encoding; during the iteration 400 for malformed bytes and 413 above the
 * expansion limit.
 */
export function streamBody(request: Request): AsyncIterable<Buffer> {
  const encoding = request.headers["content-encoding"];
  const decoder = createDecoder(encoding);
  if (decoder === undefined) return undecodedBody(request);
  const incoming = request as IncomingMessage;
  incoming.on("error", (error) => decoder.destroy(error));
  incoming.on("close", () => {
    if (!incoming.complete) decoder.destroy(clientDisconnected());
  });
  return decoded(incoming.pipe(decoder), encoding ?? "");
}

type Decoder = NonNullable<ReturnType<typeof createDecoder>>;

async function* decoded(decoder: Decoder, encoding: string): AsyncGenerator<Buffer> {
  let size = 0;
  try {
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxExpandedBytes(decoder.bytesWritten)) throw expandsTooFar();
      yield chunk;
    }
  } catch (error) {
    throw error instanceof ConnectError ? error : malformedEncoding(encoding);
  }
}

/**
 * Writes a chunk and waits until the client has read enough of the written data. @throws if the client has
 * disconnected.
 */
export function writeChunk(to: Response | Writable, chunk: string | Uint8Array): Promise<void> | undefined {
  const stream = to as Writable;
  if (stream.destroyed || stream.closed) throw clientDisconnected();
  if (stream.write(chunk)) return undefined;
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      stream.off("drain", onDrain);
      stream.off("close", onClose);
    };
    const onDrain = (): void => {
      settle();
      resolve();
    };
    const onClose = (): void => {
      settle();
      reject(clientDisconnected());
    };
    stream.on("drain", onDrain);
    stream.on("close", onClose);
  });
}
