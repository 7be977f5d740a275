import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { bodyTooLarge, createDecoder, decodeBody } from "./content-encoding.ts";

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
 * Reads a whole body and undoes its Content-Encoding.
 *
 * @throws ConnectError: 413 past `maxBytes` (what follows is discarded, never kept), CANCELLED where the client goes.
 */
export function readBody(request: Request, maxBytes: number): Promise<Buffer> {
  const length = request.headers["content-length"];
  if (length !== undefined && Number(length) > maxBytes) {
    request.resume();
    return Promise.reject(bodyTooLarge(maxBytes));
  }
  const raw = readRaw(request as IncomingMessage, maxBytes);
  const encoding = request.headers["content-encoding"];
  return encoding === undefined ? raw : raw.then((body) => decodeBody(body, encoding, maxBytes));
}

function readRaw(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let ended = false;
    incoming.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) {
        chunks.length = 0;
        reject(bodyTooLarge(maxBytes));
        return;
      }
      chunks.push(chunk);
    });
    incoming.on("end", () => {
      ended = true;
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    const onGone = (): void => {
      // It closes after each body too, and an error that nobody is told costs as much as reading the body.
      if (!ended) reject(clientGone());
    };
    incoming.on("error", onGone);
    incoming.on("close", onGone);
  });
}

/**
 * Discards what is left of a request once its answer is out. A handler that answers early, on an error in a stream, has begun to read and stopped: an HTTP/1 connection would never get to the
 * client's next request, and on HTTP/2 the client would wait to be allowed to send the rest.
 */
export function discardRest(request: Request, response: Response): void {
  const discard = (): void => {
    if (request.readableEnded) return;
    request.removeAllListeners("readable");
    // The stream forgets its listeners only on the next tick; before that it would not flow.
    setImmediate(() => request.resume());
  };
  if ("stream" in request) {
    const { stream } = request;
    // The response's own event waits for the request to end, so it is the stream's; and what the stream gives is taken
    // from under the request, which would keep it.
    stream.once("finish", () => {
      if (stream.readableEnded) return;
      stream.removeAllListeners("data");
      stream.on("data", () => undefined);
      setImmediate(() => stream.resume());
    });
    return;
  }
  (response as ServerResponse).once("finish", discard);
}

/**
 * The body as it comes, as it was sent. Who stops reading leaves the request alone: destroying it, as a stream's own
 * iterator does, would take the connection from under the answer.
 */
export function undecodedBody(request: Request): AsyncIterable<Buffer> {
  return (request as IncomingMessage).iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
}

/** The body as it comes, its Content-Encoding undone, with backpressure. */
export function streamBody(request: Request): AsyncIterable<Buffer> {
  const decoder = createDecoder(request.headers["content-encoding"]);
  if (decoder === undefined) return undecodedBody(request);
  const incoming = request as IncomingMessage;
  incoming.on("error", (error) => decoder.destroy(error));
  incoming.on("close", () => {
    if (!incoming.complete) decoder.destroy(clientGone());
  });
  return incoming.pipe(decoder);
}

/** Writes a chunk and waits until the client has taken enough of what was written. @throws where the client is gone. */
export function writeChunk(response: Response, chunk: string | Uint8Array): Promise<void> | undefined {
  const stream = response as ServerResponse;
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
