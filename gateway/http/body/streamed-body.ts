import type { IncomingMessage } from "node:http";
import { ConnectError } from "@connectrpc/connect";
import { maxExpandedBytes } from "../../codec/expansion.ts";
import type { RequestMeter } from "../limits/request-meter.ts";
import { createDecoder, expandsTooFar, malformedEncoding } from "./content-encoding.ts";
import { scanEnvelopes } from "./envelope-scanner.ts";
import { clientDisconnected, connectionOf, cut, type Request } from "./request.ts";

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
