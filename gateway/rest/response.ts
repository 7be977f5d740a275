import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Registry } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { httpStatusOf } from "../errors.ts";
import {
  type ContentEncoding,
  compressMinBytes,
  encodeBody,
  negotiateEncoding,
} from "../http/body/content-encoding.ts";
import type { Request, Response } from "../http/body/request.ts";
import { copyMetadata } from "../http/metadata.ts";
import { type ErrorFormat, errorBody, retryAfterSeconds } from "./error-body.ts";

/**
 * Writes a whole response, compressed if the client accepts it and the size justifies it. Asynchronous only if
 * compressed.
 */
export function writeResponse(
  request: Request,
  response: Response,
  status: number,
  headers: OutgoingHttpHeaders,
  body: Buffer | string,
): Promise<void> | undefined {
  const size = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  if (size >= compressMinBytes) {
    addVary(headers, "Accept-Encoding");
    const encoding = negotiateEncoding(request.headers["accept-encoding"] as string | undefined);
    if (encoding !== "identity") {
      headers["content-encoding"] = encoding;
      return writeEncoded(request, response, status, headers, bytesOf(body), encoding);
    }
  }
  writeBody(request, response, status, headers, body, size);
  return undefined;
}

async function writeEncoded(
  request: Request,
  response: Response,
  status: number,
  headers: OutgoingHttpHeaders,
  body: Buffer,
  encoding: ContentEncoding,
): Promise<void> {
  const bytes = await encodeBody(body, encoding);
  writeBody(request, response, status, headers, bytes, bytes.length);
}

/** @param size of the body in bytes. */
function writeBody(
  request: Request,
  response: Response,
  status: number,
  headers: OutgoingHttpHeaders,
  body: Buffer | string,
  size: number,
): void {
  // With trailers, an HTTP/1 body must be chunked.
  if (headers["trailer"] === undefined) headers["content-length"] = size;
  writeHead(response, status, headers);
  if (request.method === "HEAD") response.end();
  // Node sends ASCII text together with the head; bytes would need a vectored write, the most expensive part of a small
  // response.
  else if (typeof body === "string" && body.length === size) (response as ServerResponse).end(body, "latin1");
  else (response as ServerResponse).end(bytesOf(body));
}

function bytesOf(body: Buffer | string): Buffer {
  return typeof body === "string" ? Buffer.from(body) : body;
}

/** Writes the head. Headers set before (CORS) are kept, and `Vary` is merged with theirs. */
export function writeHead(response: Response, status: number, headers: OutgoingHttpHeaders): void {
  if (response.headersSent) return;
  const vary = (response as ServerResponse).getHeader("vary");
  if (typeof vary === "string") addVary(headers, vary);
  if ("stream" in response) delete headers["Connection"];
  (response as ServerResponse).writeHead(status, headers);
}

/** Options of {@link writeError}. */
export interface ErrorOptions {
  readonly format: ErrorFormat;
  readonly domain: string;
  readonly registry: Registry | undefined;
}

/**
 * Writes an error as the whole response. `status` overrides that of the error's code; `sent` are the headers that the
 * implementation set before it failed.
 */
export function writeError(
  request: Request,
  response: Response,
  error: ConnectError,
  options: ErrorOptions,
  status = httpStatusOf(error),
  sent?: Headers,
): void {
  if (response.destroyed || response.headersSent) return;
  const { contentType, json } = errorBody(error, { ...options, httpStatus: status });
  const headers: OutgoingHttpHeaders = {};
  copyMetadata(sent, headers);
  // Caching headers set for a success do not apply to an error.
  headers["cache-control"] = "no-store";
  copyMetadata(error.metadata, headers);
  if (error.metadata.get("connection") === "close" && !("stream" in response)) headers["connection"] = "close";
  if (status === 426) headers["upgrade"] = "websocket";
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) headers["retry-after"] ??= String(retryAfter);
  if (error.code === Code.Unauthenticated) headers["www-authenticate"] ??= "Bearer";
  headers["content-type"] = contentType;
  headers["x-content-type-options"] = "nosniff";
  const body = Buffer.from(JSON.stringify(json));
  headers["content-length"] = body.length;
  writeHead(response, status, headers);
  if (request.method === "HEAD") response.end();
  else (response as ServerResponse).end(body);
}

function addVary(headers: OutgoingHttpHeaders, names: string): void {
  if (headers["vary"] === undefined) {
    headers["vary"] = names;
    return;
  }
  const known = String(headers["vary"])
    .split(/,\s*/)
    .filter((name) => name !== "");
  for (const name of names.split(/,\s*/)) {
    if (!known.some((header) => header.toLowerCase() === name.toLowerCase())) known.push(name);
  }
  headers["vary"] = known.join(", ");
}
