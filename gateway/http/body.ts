import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from "node:http2";
import type { Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { maxExpandedBytes } from "../codec/expansion.ts";
import { gatewayError } from "../errors.ts";
import {
  assertEncoding,
  bodyTooLarge,
  createDecoder,
  decodeBody,
  expandsTooFar,
  malformedEncoding,
  refuseEncoding,
} from "./content-encoding.ts";
import type { DecodeBudget } from "./decode-budget.ts";
import type { CutReason, RequestMeter } from "./request-meter.ts";

/** A request of node:http or node:http2. */
export type Request = IncomingMessage | Http2ServerRequest;
/** The answer to it. */
export type Response = ServerResponse | Http2ServerResponse;

/** The client is gone: CANCELLED, which is 499 for whoever still counts. */
export function clientGone(): ConnectError {
  return new ConnectError("the client closed the request", Code.Canceled);
}

/** False where the head of the request says that no body comes. */
export function hasBody(request: Request): boolean {
  if ("stream" in request) return !request.stream.endAfterHeaders;
  const { headers } = request;
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/**
 * Waits for a body that came together with the head, which Node reads in the same turn of the event loop, so that an
 * early response need not close the connection. Undefined where nothing is to come.
 */
export function bodyOfSameTurn(request: Request): Promise<void> | undefined {
  return request.complete || !hasBody(request) ? undefined : nextTurn();
}

/** How a whole body is read. */
export interface BodyLimits {
  /** Of the body, compressed and not. */
  readonly maxBytes: number;
  /** Watches the body while it comes. */
  readonly meter: RequestMeter;
  /** Of all bodies that are being decompressed. */
  readonly budget?: DecodeBudget | undefined;
}

/**
 * Reads a whole body and undoes its Content-Encoding.
 *
 * @throws ConnectError: before anything is read, 415 for an unknown encoding and 413 for a `Content-Length` past
 * `maxBytes`; then 413 past `maxBytes` (what follows is discarded, never kept) and where it expands too far, 408
 * where it comes too slowly, 503 where unfinished bodies take too much memory, 429 where too many are being
 * decompressed, CANCELLED where the client goes.
 */
export function readBody(request: Request, limits: BodyLimits): Promise<Buffer> {
  const { maxBytes, budget } = limits;
  const encoding = request.headers["content-encoding"];
  if (encoding === undefined) return readRaw(request, limits);
  assertEncoding(encoding);
  return readRaw(request, limits).then((body) => decodeBody(body, encoding, maxBytes, budget));
}

/**
 * Reads a whole body that must come without a Content-Encoding: its bytes are what the sender has signed.
 *
 * @throws ConnectError: 415 for an encoding, 413 and CANCELLED as {@link readBody}.
 */
export async function readUnencoded(request: Request, limits: BodyLimits): Promise<Buffer> {
  refuseEncoding(request.headers["content-encoding"]);
  return readRaw(request, limits);
}

/** Reads a whole body as it was sent. @throws as {@link readBody}. */
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
      // It closes after each body too, and an error that nobody is told costs as much as reading the body.
      if (ended) return;
      received.end();
      reject(clientGone());
    };
    incoming.on("error", onGone);
    incoming.on("close", onGone);
  });
}

/** The connection of a request, for limits that count by connection. */
function connectionOf(request: Request): object {
  return "stream" in request ? (request.stream.session ?? request.stream) : request.socket;
}

/** How long the client of a request that is cut has to read why, in milliseconds. */
const cutAfterMs = 1000;

/**
 * The error of a request of which no more is read: 408 where it comes too slowly, 503 where unfinished requests take too
 * much memory. Ends the request itself once the error has had time to arrive.
 */
function cut(request: Request, reason: CutReason): ConnectError {
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
 * Discards what is left of a request once its answer is out. A handler that answers early, on an error in a stream, has
 * begun to read and stopped: an HTTP/1 connection would never get to the client's next request, and on HTTP/2 the client
 * would wait to be allowed to send the rest.
 */
export function discardRest(request: Request, response: Response): void {
  if ("stream" in request) {
    const { stream } = request;
    // An answer through node's own response always ends with trailers, which it sends in the turn after this event.
    stream.once("wantTrailers", () => setImmediate(() => stopSending(stream)));
    return;
  }
  (response as ServerResponse).once("finish", () => {
    if (request.readableEnded) return;
    request.removeAllListeners("readable");
    // The stream forgets its listeners only on the next tick; before that it would not flow.
    setImmediate(() => request.resume());
  });
}

/**
 * Tells an HTTP/2 client, whose answer is ended, to send no more of its request: RST_STREAM with NO_ERROR, as RFC 9113
 * has it in section 8.1. Node sends it after the answer.
 */
export function stopSending(stream: ServerHttp2Stream): void {
  if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
}

/**
 * Answers with a whole body. On HTTP/2 all of it goes out in one turn, its end included: some clients break off their
 * request when they have read the head of an early answer, and nothing must be left to send by then.
 */
export function answerWhole(response: Response, status: number, headers: OutgoingHttpHeaders, body: Uint8Array): void {
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
 * The body as it comes, as it was sent. Who stops reading leaves the request alone: destroying it, as a stream's own
 * iterator does, would take the connection from under the answer.
 *
 * @throws ConnectError CANCELLED where the client goes.
 */
export async function* undecodedBody(request: Request): AsyncGenerator<Buffer> {
  try {
    yield* (request as IncomingMessage).iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  } catch {
    throw clientGone();
  }
}

/**
 * The body of a request that is one message, as it comes and as it was sent.
 *
 * @throws ConnectError: DEADLINE_EXCEEDED where it comes too slowly, UNAVAILABLE where unfinished bodies take too much
 * memory, CANCELLED where the client goes.
 */
export async function* meteredBody(request: Request, meter: RequestMeter): AsyncGenerator<Buffer> {
  const chunks = undecodedBody(request);
  const { promise: whenCut, reject } = Promise.withResolvers<never>();
  // Rejects also while nothing waits for it.
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

/** Counts what is held of the unfinished message of a stream, in the bytes that the process may hold of all. */
export interface HeldMessage {
  /** Counts bytes that are kept. @throws ConnectError UNAVAILABLE where unfinished messages take too much memory. */
  add(bytes: number): void;
  /** The message is whole. */
  next(): void;
  /** The stream has ended. Repeatable. */
  end(): void;
}

/** Begins to count the messages of a request that is a stream of them. They may rest for as long as they like. */
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
 * The body of a request that is a stream of messages in envelopes (five bytes with the length of what follows), as it
 * comes. Messages that have not come whole are counted.
 *
 * @throws ConnectError UNAVAILABLE where unfinished messages take too much memory, CANCELLED where the client goes.
 */
export async function* envelopedBody(request: Request, meter: RequestMeter): AsyncGenerator<Buffer> {
  const held = holdMessages(request, meter);
  const head = Buffer.alloc(5);
  let known = 0;
  let rest = 0;
  try {
    for await (const chunk of undecodedBody(request)) {
      for (let at = 0; at < chunk.length; ) {
        if (known < head.length) {
          const step = chunk.copy(head, known, at);
          known += step;
          at += step;
          if (known < head.length) break;
          rest = head.readUInt32BE(1);
        }
        const step = Math.min(rest, chunk.length - at);
        rest -= step;
        at += step;
        held.add(step);
        if (rest > 0) continue;
        known = 0;
        held.next();
      }
      yield chunk;
    }
  } finally {
    held.end();
  }
}

/**
 * The body as it comes, its Content-Encoding undone, with backpressure.
 *
 * @throws ConnectError: 415 for an unknown encoding; on the way 400 for bytes that are not of it, 413 for bytes that
 * expand too far.
 */
export function streamBody(request: Request): AsyncIterable<Buffer> {
  const encoding = request.headers["content-encoding"];
  const decoder = createDecoder(encoding);
  if (decoder === undefined) return undecodedBody(request);
  const incoming = request as IncomingMessage;
  incoming.on("error", (error) => decoder.destroy(error));
  incoming.on("close", () => {
    if (!incoming.complete) decoder.destroy(clientGone());
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

/** Writes a chunk and waits until the client has taken enough of what was written. @throws where the client is gone. */
export function writeChunk(to: Response | Writable, chunk: string | Uint8Array): Promise<void> | undefined {
  const stream = to as Writable;
  if (stream.destroyed || stream.closed) throw clientGone();
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
      reject(clientGone());
    };
    stream.on("drain", onDrain);
    stream.on("close", onClose);
  });
}
