import type { OutgoingHttpHeaders } from "node:http";
import type { Message } from "@bufbuild/protobuf";
import type { Call } from "../call/call-context.ts";
import type { JsonCodec } from "../codec/json-codec.ts";
import type { Request, Response } from "../http/body/request.ts";
import { copyMetadata } from "../http/metadata.ts";
import { etagOf, noneMatch } from "./conditional-requests.ts";
import { contentTypeOf, httpBodyOf, type PreparedRoute } from "./prepared-route.ts";
import { writeHead, writeResponse } from "./response.ts";
import type { SuccessRule } from "./success-status.ts";
import { addTrailers, copyTrailers, takesTrailers } from "./trailers.ts";

/**
 * Writes the response message of a call: as JSON, as the bytes of an HttpBody, or as 304. Asynchronous only if
 * compressed.
 */
export function writeMessage(
  request: Request,
  response: Response,
  route: PreparedRoute,
  message: Message,
  context: Call,
  codec: JsonCodec,
  success: SuccessRule,
): Promise<void> | undefined {
  const headers: OutgoingHttpHeaders = { "x-content-type-options": "nosniff" };
  copyMetadata(context.touchedHeader(), headers);
  const trailer = context.touchedTrailer();
  if (!takesTrailers(request)) copyTrailers(trailer, headers);
  const endWithTrailers = (): void => {
    const names = takesTrailers(request) ? addTrailers(response, trailer) : [];
    if (names.length > 0) headers["trailer"] = names.join(", ");
  };
  if (route.rawResponse) {
    endWithTrailers();
    const body = httpBodyOf(message, route.responseBody);
    headers["content-type"] = contentTypeOf(body);
    headers["cache-control"] ??= "no-store";
    const { status } = success(route, message);
    return writeResponse(request, response, status, headers, Buffer.from(body?.data ?? new Uint8Array()));
  }
  const etag = etagOf(message, route.etagField);
  if (etag !== undefined) headers["etag"] ??= etag;
  const noneMatchHeader = request.headers["if-none-match"];
  const conditional = request.method === "GET" || request.method === "HEAD";
  // A client may cache what it can revalidate; without a cached copy it could not send If-None-Match.
  headers["cache-control"] ??= conditional && headers["etag"] !== undefined ? "private, no-cache" : "no-store";
  if (conditional && etag !== undefined && noneMatchHeader !== undefined && noneMatch(noneMatchHeader, etag)) {
    copyTrailers(trailer, headers);
    writeHead(response, 304, headers);
    response.end();
    return undefined;
  }
  endWithTrailers();
  const { status, location } = success(route, message);
  if (location !== undefined) headers["location"] ??= location;
  headers["content-type"] = "application/json";
  const json =
    route.responseBody === undefined
      ? codec.write(route.method.output, message)
      : codec.writeField(route.method.output, message, route.responseBody);
  return writeResponse(request, response, status, headers, json);
}
