import { constants, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { type Server, status } from "@grpc/grpc-js";

type StreamListener = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number) => void;

const codecs = /^application\/grpc(\+proto)?\s*(;|$)/i;
/** What grpc-js reads. */
const encodings = ["identity", "deflate", "gzip"];

/**
 * Refuses what gRPC has a server refuse and grpc-js serves: another verb than POST, another codec than Protobuf, an
 * encoding that is not known, and a message marked as compressed in a call that says it has no encoding
 * (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md and compression.md).
 *
 * grpc-js has no hook before its own handler, so that this takes the handler's place on the HTTP/2 servers that grpc-js
 * has made by now, and hands on to it.
 *
 * @throws where grpc-js no longer keeps its servers where they are looked for.
 */
export function guardCalls(server: Server): void {
  const { http2Servers } = server as unknown as { readonly http2Servers?: ReadonlyMap<Http2Server, unknown> };
  if (http2Servers === undefined || http2Servers.size === 0) {
    throw new Error("grpc-js keeps its HTTP/2 servers elsewhere than in http2Servers: grpc-guard.ts must follow");
  }
  for (const http2Server of http2Servers.keys()) {
    const handlers = http2Server.listeners("stream") as StreamListener[];
    http2Server.removeAllListeners("stream");
    http2Server.on("stream", (stream: ServerHttp2Stream, headers, flags) => {
      const refusal = refusalOf(headers);
      if (refusal !== undefined) {
        refuse(stream, refusal);
        return;
      }
      if (encodingOf(headers) === "identity") {
        refuseCompressed(stream);
      }
      for (const handle of handlers) {
        handle(stream, headers, flags);
      }
    });
  }
}

type Refusal = Readonly<Record<string, string | number>>;

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
    const message = `the encoding ${encoding} is not known; ${encodings.join(", ")} are`;
    return { ...ended(status.UNIMPLEMENTED, message), "grpc-accept-encoding": encodings.join(",") };
  }
  return undefined;
}

function encodingOf(headers: IncomingHttpHeaders): string {
  return String(headers["grpc-encoding"] ?? "identity");
}

/** Watches for a message marked as compressed, and ends the call before grpc-js hears of its bytes. */
function refuseCompressed(stream: ServerHttp2Stream): void {
  const head = Buffer.alloc(5);
  let known = 0;
  let rest = 0;
  stream.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; ) {
      if (rest > 0) {
        const step = Math.min(rest, chunk.length - at);
        rest -= step;
        at += step;
        continue;
      }
      head[known] = chunk[at] ?? 0;
      known += 1;
      at += 1;
      if (head[0] === 1) {
        refuse(stream, ended(status.INTERNAL, "a message is marked as compressed, and the call has no encoding"));
        return;
      }
      if (known === head.length) {
        rest = head.readUInt32BE(1);
        known = 0;
      }
    }
  });
}

/** A status without a message before it: gRPC's "Trailers-Only". */
function ended(code: status, message: string): Refusal {
  return {
    ":status": constants.HTTP_STATUS_OK,
    "content-type": "application/grpc",
    "grpc-status": code,
    "grpc-message": message,
  };
}

/** Answers, and has the client send no more. */
function refuse(stream: ServerHttp2Stream, headers: Refusal): void {
  if (stream.headersSent || stream.closed || stream.destroyed) {
    return;
  }
  // The client may be gone by now, which is no trouble of ours.
  stream.on("error", () => {});
  stream.respond(headers, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}
