import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { constants, type ServerHttp2Stream } from "node:http2";
import type { Writable } from "node:stream";
import { clientDisconnected, type Request, type Response } from "./request.ts";

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
