import { IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import { Duplex, PassThrough, type Readable } from "node:stream";
import type { HttpHandler } from "./listener.ts";

/** A whole HTTP request that did not arrive by a connection of this process, such as one in an event of a platform. */
export interface ExchangeRequest {
  readonly method: string;
  /** Path and query as in a request line. */
  readonly url: string;
  /** In their order; a name may occur several times. `content-length` is set from the body. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** Address of the client, as of the peer of a connection. */
  readonly remoteAddress: string;
}

/** The response of a handler. Its body must be read to the end, or destroyed. */
export interface ExchangeResponse {
  readonly status: number;
  /** Values by lower-case name; several values are an array. */
  readonly headers: OutgoingHttpHeaders;
  /** Ends with an error if the handler breaks off its response. */
  readonly body: Readable;
}

/**
 * Lets a handler serve a request without a connection. Resolves with the head of the response. An aborted signal, or a
 * destroyed body, is to the handler a client that disconnects; the exchange then rejects with the signal's reason.
 *
 * The request and the response are Node's own, so that the handler's behaviour is the same as on a port. There are no
 * trailers and no chunks, as to a client of HTTP/1.0.
 */
export function exchange(
  handler: HttpHandler,
  given: ExchangeRequest,
  signal?: AbortSignal,
): Promise<ExchangeResponse> {
  return new Promise((resolve, reject) => {
    const body = new PassThrough();
    const connection = new Connection(given.remoteAddress, body);
    const request = requestOf(given, connection);
    const response = new ServerResponse(request);
    request.httpVersionMinor = 1;
    request.httpVersion = "1.1";
    response.sendDate = false;
    response.shouldKeepAlive = false;
    const onHead = ({ status, headers }: Head): void => resolve({ status, headers, body });
    collectHead(response, connection, onHead);
    response.assignSocket(connection as never);
    const abort = (): void => void connection.destroy(signal?.reason instanceof Error ? signal.reason : undefined);
    response.once("finish", () => {
      response.detachSocket(connection as never);
      signal?.removeEventListener("abort", abort);
      body.end();
      process.nextTick(() => response.emit("close"));
    });
    connection.once("close", () => {
      const error = signal?.aborted === true ? signal.reason : new Error("the response was broken off");
      reject(error);
      if (!response.writableFinished) body.destroy(error as Error);
    });
    connection.on("drain", () => {
      if (response.writableNeedDrain) response.emit("drain");
    });
    // Errors are reported by the promise and the body.
    connection.on("error", () => undefined);
    body.once("close", () => {
      if (!response.writableFinished) connection.destroy();
    });
    body.on("error", () => undefined);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    else handler(request, response);
  });
}

interface Head {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
}

function requestOf(given: ExchangeRequest, connection: Connection): IncomingMessage {
  const request = new IncomingMessage(connection as never);
  request.method = given.method;
  request.url = given.url;
  // The response has no chunks to a client of HTTP/1.0.
  request.httpVersionMajor = 1;
  request.httpVersionMinor = 0;
  const headers = given.headers.filter(([name]) => !notForwarded.has(name.toLowerCase()));
  const raw = headers.flat();
  if (given.body.length > 0) {
    raw.push("content-length", String(given.body.length));
    request.push(given.body);
  }
  // The parser of a connection does the same, so that duplicates are joined alike.
  (request as unknown as { _addHeaderLines(raw: readonly string[], count: number): void })._addHeaderLines(
    raw,
    raw.length,
  );
  request.push(null);
  request.complete = true;
  return request;
}

/** Headers about a connection that is not this one; the length is that of the body. */
const notForwarded: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Reports the head when the handler has written it, before any of the body passes. */
function collectHead(response: ServerResponse, connection: Connection, onHead: (head: Head) => void): void {
  const writeHead = response.writeHead.bind(response) as (status: number) => ServerResponse;
  response.writeHead = ((status: number, ...rest: readonly unknown[]) => {
    const headers = rest.at(-1);
    if (Array.isArray(headers)) {
      for (let at = 0; at < headers.length; at += 2) response.appendHeader(headers[at], headers[at + 1]);
    } else if (typeof headers === "object" && headers !== null) {
      // Otherwise they would be written without being kept.
      for (const [name, value] of Object.entries(headers as OutgoingHttpHeaders)) {
        if (value !== undefined) response.setHeader(name, value);
      }
    }
    return writeHead(status);
  }) as typeof response.writeHead;
  connection.onHead = (): number => {
    const { connection: _, "transfer-encoding": __, ...headers } = response.getHeaders();
    onHead({ status: response.statusCode, headers });
    return (response as unknown as { readonly _header: string })._header.length;
  };
}

/** Stands for the connection of a request: takes what Node writes to it, and passes on what follows the head. */
class Connection extends Duplex {
  readonly remoteAddress: string;
  /** Called at the first write; returns the length of the head in bytes. */
  onHead: (() => number) | undefined;
  readonly #body: PassThrough;
  #headBytes: number | undefined;

  constructor(remoteAddress: string, body: PassThrough) {
    super();
    this.remoteAddress = remoteAddress;
    this.#body = body;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#headBytes ??= this.onHead?.() ?? 0;
    const skipped = Math.min(this.#headBytes, chunk.length);
    this.#headBytes -= skipped;
    if (skipped === chunk.length || this.#body.write(chunk.subarray(skipped))) {
      done();
    } else {
      const resume = (): void => {
        this.#body.off("drain", resume);
        this.#body.off("close", resume);
        done();
      };
      this.#body.on("drain", resume);
      this.#body.on("close", resume);
    }
  }

  setTimeout(): this {
    return this;
  }
}
