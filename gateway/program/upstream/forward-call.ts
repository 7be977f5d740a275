import {
  type ClientHttp2Stream,
  constants,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { ServiceError } from "@grpc/grpc-js";
import { deadlineExceeded } from "../../call/abort.ts";
import { abortReason } from "../../errors.ts";
import { bodyTooLarge } from "../../http/body/content-encoding.ts";
import { scanEnvelopes } from "../../http/body/envelope-scanner.ts";
import { connectionOf, cut } from "../../http/body/request.ts";
import type { RequestMeter } from "../../http/limits/request-meter.ts";
import { outOfStreams } from "./direct-call.ts";
import { failureOf, failureOfReset } from "./direct-failure.ts";
import type { GrpcReply } from "./grpc-reply.ts";
import { replyHeaders } from "./raw-headers.ts";

type ReplyHeaders = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** A gRPC call to forward: the request and its response, and the stream opened to the upstream. */
export interface ForwardedCall {
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  readonly reply: GrpcReply;
  readonly upstream: ClientHttp2Stream;
  /** True if the method takes one request message, whose rate is limited. */
  readonly isSingle: boolean;
  /** Maximum size of a request message, without its five-byte head. */
  readonly maxMessageBytes: number;
  readonly timeoutMs: number | undefined;
  readonly meter: RequestMeter;
  readonly shutdownSignal: AbortSignal;
  /** Converts a failure of the upstream to the error returned to the client. */
  readonly errorOf: (failure: ServiceError) => ConnectError;
}

/**
 * Forwards the messages of a gRPC call in both directions as they arrive, without decoding or decompressing them, each
 * no faster than its receiver reads. The response, its trailers included, is the upstream's.
 *
 * The call fails at its deadline, on shutdown, and if a request message is too large, incomplete or too slow. If it
 * fails or the client leaves, the upstream sees a cancellation and never a completed request.
 */
export function forwardCall(call: ForwardedCall): void {
  const { request, response, reply, upstream, isSingle, maxMessageBytes, meter, shutdownSignal, errorOf } = call;
  const client = response.stream;
  const { session } = upstream;
  let isOver = false;
  let isSent = false;
  let isRefused = false;
  let messages = 0;
  let outcome: { readonly parsed: ReplyHeaders; readonly raw: readonly string[] } | undefined;

  /** Ends the call at most once. Unless the upstream has seen its end, it is cancelled there. */
  const settle = (answer: () => void): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    shutdownSignal.removeEventListener("abort", onShutdown);
    received.end();
    if (!isSent || outcome === undefined) upstream.close(constants.NGHTTP2_CANCEL);
    answer();
  };
  const fail = (error: ConnectError): void => settle(() => reply.fail(error));
  const leave = (): void => settle(() => undefined);
  const onShutdown = (): void => fail(abortReason(shutdownSignal));
  const meterNext = (isPaced: boolean) =>
    meter.begin(connectionOf(request), (reason) => fail(cut(request, reason)), isPaced);

  let received = meterNext(isSingle);
  const scanner = scanEnvelopes({
    begin(length) {
      messages += 1;
      if (isSingle && messages > 1) throw wrongCount("more than one");
      if (length > maxMessageBytes) throw bodyTooLarge(maxMessageBytes);
    },
  });
  client.on("data", (chunk: Buffer) => {
    if (isOver) return;
    try {
      scanner.add(chunk);
    } catch (error) {
      fail(ConnectError.from(error));
      return;
    }
    received.add(chunk.length);
    if (isOver) return;
    if (upstream.write(chunk)) {
      received.next();
      return;
    }
    // Until the upstream reads, the client is not the slow one.
    client.pause();
    received.end();
    received = meterNext(false);
    received.add(chunk.length);
  });
  upstream.on("drain", () => {
    if (isOver) return;
    received.end();
    received = meterNext(isSingle);
    client.resume();
  });
  client.on("end", () => {
    // A stream that was reset ends too.
    if (isOver || client.aborted) return;
    if (scanner.isWithinMessage) {
      fail(new ConnectError("protocol error: incomplete envelope", Code.InvalidArgument));
    } else if (isSingle && messages === 0) {
      fail(wrongCount("no"));
    } else {
      isSent = true;
      received.end();
      upstream.end();
    }
  });
  client.on("aborted", leave);
  client.on("close", leave);

  const finish = (): void => {
    if (outcome === undefined) return;
    const { parsed } = outcome;
    const trailers = replyHeaders(outcome);
    const failure = parsed["grpc-status"] === undefined ? failureOf(parsed, parsed[":status"]) : undefined;
    if (failure !== undefined) fail(errorOf(failure));
    else settle(() => reply.end(trailers));
  };
  const onResponse = (parsed: ReplyHeaders, flags: number, raw: readonly string[]): void => {
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) outcome = { parsed, raw };
    else if (isOver) return;
    else if (parsed[":status"] === 200 && parsed["content-type"]?.startsWith("application/grpc") === true) {
      reply.begin(replyHeaders({ parsed, raw }));
    } else fail(errorOf(failureOf(parsed, parsed[":status"]) ?? failureOfReset(0, false)));
  };
  upstream.on("response", onResponse as (headers: ReplyHeaders, flags: number) => void);
  upstream.on("data", (chunk: Buffer) => {
    if (!isOver && !client.write(chunk)) upstream.pause();
  });
  client.on("drain", () => upstream.resume());
  const onTrailers = (parsed: ReplyHeaders, _flags: number, raw: readonly string[]): void => {
    outcome = { parsed, raw };
    if (upstream.readableEnded) finish();
  };
  upstream.on("trailers", onTrailers as (headers: IncomingHttpHeaders, flags: number) => void);
  upstream.on("end", finish);
  upstream.on("error", ({ code }: NodeJS.ErrnoException) => {
    isRefused = code === outOfStreams;
  });
  upstream.on("close", () => {
    // Messages that the client had no time to read are lost with the stream.
    if (outcome !== undefined && upstream.readableLength === 0) finish();
    const code = upstream.rstCode ?? 0;
    if (!reply.hasBegun && (isRefused || code === constants.NGHTTP2_REFUSED_STREAM)) {
      // The call was not processed, so the client may repeat it at once.
      settle(() => client.close(constants.NGHTTP2_REFUSED_STREAM));
    } else if (!isOver) fail(errorOf(failureOfReset(code, session?.destroyed === true)));
  });

  const { timeoutMs } = call;
  const onDeadline = (): void => fail(deadlineExceeded());
  const timer = timeoutMs === undefined ? undefined : setTimeout(onDeadline, Math.min(timeoutMs, 2 ** 31 - 1));
  shutdownSignal.addEventListener("abort", onShutdown);
  if (shutdownSignal.aborted) onShutdown();
}

/** gRPC's code for a wrong number of request messages: grpc/doc/statuscodes.md. */
function wrongCount(count: string): ConnectError {
  return new ConnectError(`protocol error: the request has ${count} message, the method takes one`, Code.Unimplemented);
}
