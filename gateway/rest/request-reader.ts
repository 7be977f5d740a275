import type { Message } from "@bufbuild/protobuf";
import type { Request } from "../http/body/request.ts";
import { holdMessages, streamBody } from "../http/body/streamed-body.ts";
import { type BodyLimits, readBody, readUnencoded } from "../http/body/whole-body.ts";
import { applyIfMatch } from "./conditional-requests.ts";
import { rawRequests } from "./http-body-stream.ts";
import { jsonRequests } from "./json-request-stream.ts";
import type { Matched } from "./match.ts";
import type { PreparedRoute } from "./prepared-route.ts";
import { assertCharset, requestBodyOf } from "./request-body.ts";

/** Maximum body of a unary method that takes raw bytes (`google.api.HttpBody`), such as a webhook. */
const maxRawBodyBytes = 1024 * 1024;

/** Reads the request messages of matched requests. Errors of a malformed request are ConnectErrors with 4xx. */
export interface RequestReader {
  /** Reads the whole body. */
  read(request: Request, route: PreparedRoute): Promise<Buffer>;
  /** The request message: path, query, the bytes of the body, and `If-Match`. */
  bind(request: Request, found: Matched, bytes: Buffer): Message;
  /** The request messages of a stream, as they arrive. */
  requestStream(request: Request, found: Matched): AsyncIterable<Message>;
}

export interface RequestReaderOptions {
  readonly limits: BodyLimits;
  /** Whether to ignore query parameters and bodies that the method does not take. */
  readonly lenient: boolean;
}

export function createRequestReader({ limits, lenient }: RequestReaderOptions): RequestReader {
  const rawLimits = { ...limits, maxBytes: Math.min(limits.maxBytes, maxRawBodyBytes) };
  return { read, bind, requestStream };

  function read(request: Request, { binding, spec }: PreparedRoute): Promise<Buffer> {
    return binding.rawBody && spec.kind === "unary" ? readUnencoded(request, rawLimits) : readBody(request, limits);
  }

  function bind(request: Request, { route, segments, rawQuery }: Matched, bytes: Buffer): Message {
    const message = route.binding.bind({ segments, rawQuery, body: requestBodyOf(request, route, bytes, lenient) });
    const ifMatch = request.headers["if-match"];
    if (ifMatch !== undefined) applyIfMatch(message, route.etagPath, ifMatch);
    return message;
  }

  function requestStream(request: Request, { route, ...input }: Matched): AsyncIterable<Message> {
    const contentType = request.headers["content-type"] ?? "application/octet-stream";
    if (!route.binding.rawBody) assertCharset(contentType);
    return route.binding.rawBody
      ? rawRequests(route, input, contentType, streamBody(request))
      : jsonRequests(route, input, streamBody(request), limits.maxBytes, holdMessages(request, limits.meter));
  }
}
