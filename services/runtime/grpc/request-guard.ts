import { constants, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Server } from "@grpc/grpc-js";
import { stopSending } from "../../../gateway/http/body/response.ts";
import { clientAddressOf, type Forwarding } from "../../../gateway/http/client-address.ts";
import type { RequestMeter } from "../../../gateway/http/limits/request-meter.ts";
import type { OpenRequests } from "../../../gateway/http/listener/open-requests.ts";
import { closeStalledStream } from "../../../gateway/http/listener/stalled.ts";
import { requestTooSlow, resourceExhausted, unavailable } from "../errors.ts";
import type { Logger } from "../telemetry/log.ts";
import { type MessageFault, watchMessages } from "./message-watch.ts";
import { statusOf } from "./status.ts";

export interface GrpcGuardOptions {
  /** Most bytes of a compressed message. grpc-js enforces the limit for decompressed ones. */
  readonly maxMessageBytes: number;
  readonly meter: RequestMeter;
  readonly openRequests: OpenRequests;
  /** Whether the method at this path has streaming requests. */
  readonly takesStream: (path: string) => boolean;
  /** A response is aborted if the client reads nothing for this long. */
  readonly stallMs: number;
  /** How to determine the client address behind proxies, for the log. */
  readonly forwarding: Forwarding;
  /** Whether rejections carry `google.rpc` details. */
  readonly detailedRefusals: boolean;
  readonly log: Logger;
}

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void;

const codecs = /^application\/grpc(\+proto)?\s*(;|$)/i;
/** Encodings that grpc-js supports. */
const encodings = ["identity", "deflate", "gzip"];

/**
 * Rejects calls before grpc-js handles them: those that gRPC forbids but grpc-js serves (another verb than POST,
 * another codec than Protobuf, an unknown encoding, a compressed message in a call without an encoding; see
 * github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md and compression.md), and those beyond the server's limits: too
 * many open calls, messages that are too large or arrive too slowly, too many bytes of unfinished messages. grpc-js has
 * no hook before its own handler, so this replaces the handler on the HTTP/2 servers that grpc-js has created so far,
 * and delegates to it.
 *
 * @throws if grpc-js no longer keeps its servers in the expected place.
 */
export function guardCalls(server: Server, options: GrpcGuardOptions): void {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<Http2Server, unknown> };
  if (http2Servers === undefined || http2Servers.size === 0) {
    throw new Error("grpc-js keeps its HTTP/2 servers elsewhere than in http2Servers: request-guard.ts must follow");
  }
  for (const http2Server of http2Servers.keys()) {
    const handlers = http2Server.listeners("stream") as StreamListener[];
    http2Server.removeAllListeners("stream");
    http2Server.on("stream", (stream: ServerHttp2Stream, headers, flags) => {
      if (admit(stream, headers, flags, options)) {
        for (const handle of handlers) {
          handle(stream, headers, flags);
        }
      }
    });
  }
}

/**
 * Rejects a call by its headers, or watches its messages.
 * @returns Whether the call may proceed.
 */
function admit(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  options: GrpcGuardOptions,
): boolean {
  const refusal = refusalOf(headers);
  if (refusal !== undefined) {
    refuse(stream, refusal);
    return false;
  }
  const { openRequests } = options;
  const address = stream.session?.socket.remoteAddress ?? "";
  const path = headers[":path"] ?? "";
  const refuseFor = (error: ConnectError) => {
    const { forwarding, log } = options;
    const forwarded = headers[forwarding.header]?.toString();
    const client = clientAddressOf(address, forwarded, forwarding);
    log.info({ client_address: client, rpc: path.slice(1), err: error.rawMessage }, "a gRPC call was refused");
    refuse(stream, ended(options.detailedRefusals ? error : new ConnectError(error.rawMessage, error.code)));
  };
  if (!openRequests.enter(address)) {
    refuseFor(unavailable("SERVER_BUSY", "too many calls are open; try again when some have ended"));
    return false;
  }
  stream.once("close", () => openRequests.leave(address));
  closeStalledStream(stream, options.stallMs);
  if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) {
    resetAfterRefusal(stream);
    const { maxMessageBytes, meter, takesStream } = options;
    const mayCompress = encodingOf(headers) !== "identity";
    const rules = { maxMessageBytes, meter, mayCompress, isOneMessage: !takesStream(path) };
    watchMessages(stream, rules, (fault) => refuseFor(errorOf(fault, maxMessageBytes)));
  }
  return true;
}

/** Makes a client that is still sending stop. grpc-js would continue to read. */
function resetAfterRefusal(stream: ServerHttp2Stream): void {
  stream.once("finish", () => {
    if (stream.sentHeaders?.["grpc-status"] !== undefined) {
      setImmediate(() => stopSending(stream));
    }
  });
}

function errorOf(fault: MessageFault, maxMessageBytes: number): ConnectError {
  switch (fault.kind) {
    case "compressed":
      return new ConnectError("a message is marked as compressed, and the call has no encoding", Code.Internal);
    case "too large": {
      const description = `a request message may have ${maxMessageBytes} bytes at most; this one has ${fault.length}`;
      return resourceExhausted("MESSAGE_TOO_LARGE", description, [{ subject: "request", description }]);
    }
    case "slow":
      return requestTooSlow();
    case "memory":
      return unavailable("SERVER_BUSY", "the server is receiving too many large requests at once; try again");
    default:
      return fault satisfies never;
  }
}

type Refusal = Readonly<Record<string, string | number | string[] | undefined>>;

function refusalOf(headers: IncomingHttpHeaders): Refusal | undefined {
  const type = headers["content-type"] ?? "";
  if (headers[":method"] !== "POST") {
    return { ":status": constants.HTTP_STATUS_METHOD_NOT_ALLOWED, allow: "POST" };
  }
  if (!codecs.test(type)) {
    return { ":status": constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE };
  }
  const encoding = encodingOf(headers);
  if (!encodings.includes(encoding)) {
    const message = `the encoding ${encoding} is not supported; use one of ${encodings.join(", ")}`;
    const error = new ConnectError(message, Code.Unimplemented);
    return { ...ended(error), "grpc-accept-encoding": encodings.join(",") };
  }
  return undefined;
}

function encodingOf(headers: IncomingHttpHeaders): string {
  return String(headers["grpc-encoding"] ?? "identity");
}

/** A "Trailers-Only" response of gRPC: a status without a message. */
function ended(error: ConnectError): Refusal {
  const { code, details, metadata } = statusOf(error, new Headers());
  return {
    ...metadata.toHttp2Headers(),
    ":status": constants.HTTP_STATUS_OK,
    "content-type": "application/grpc",
    "grpc-status": code,
    "grpc-message": encodeURI(details),
  };
}

/** Sends the rejection and makes the client stop. Once a response has begun, the stream can only be reset. */
function refuse(stream: ServerHttp2Stream, headers: Refusal): void {
  if (stream.closed || stream.destroyed) {
    return;
  }
  // The connection may be closed already.
  stream.on("error", () => {});
  if (stream.headersSent) {
    stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    return;
  }
  stream.respond(headers, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}
