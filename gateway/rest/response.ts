import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Registry } from "@bufbuild/protobuf";
import { Code, type ConnectError } from "@connectrpc/connect";
import { httpStatusOf } from "../errors.ts";
import type { Request, Response } from "../http/body.ts";
import { type ContentEncoding, compressMinBytes, encodeBody, negotiateEncoding } from "../http/content-encoding.ts";
import { copyMetadata } from "../http/metadata.ts";
import { type ErrorFormat, errorBody, retryAfterSeconds } from "./error-body.ts";

/**
 * Writes a whole answer at once, compressed where the client takes it and it is worth it; only then is there something
 * to wait for.
 */
export function writeWhole(
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
  // With trailers after it a body of HTTP/1 comes in chunks.
  if (headers["trailer"] === undefined) headers["content-length"] = size;
  writeHead(response, status, headers);
  if (request.method === "HEAD") response.end();
  // Node sends ASCII text in one piece with the head; bytes would be a vector of two, the costliest part of a small answer.
  else if (typeof body === "string" && body.length === size) (response as ServerResponse).end(body, "latin1");
  else (response as ServerResponse).end(bytesOf(body));
}

function bytesOf(body: Buffer | string): Buffer {
  return typeof body === "string" ? Buffer.from(body) : body;
}

/** Writes the head; headers set before (CORS) stay, and `Vary` is joined with theirs. */
export function writeHead(response: Response, status: number, headers: OutgoingHttpHeaders): void {
  if (response.headersSent) return;
  const vary = (response as ServerResponse).getHeader("vary");
  if (typeof vary === "string") addVary(headers, vary);
  if ("stream" in response) delete headers["Connection"];
  (response as ServerResponse).writeHead(status, headers);
}

/** What {@link writeError} needs to know of the server. */
export interface ErrorOptions {
  readonly format: ErrorFormat;
  readonly domain: string;
  readonly registry: Registry | undefined;
}

/**
 * Writes an error as the whole answer. `status` overrides the one of the error's code; `sent` are the headers that the
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
  // What was set for a success does not hold for an error.
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
    if (!known.some((each) => each.toLowerCase() === name.toLowerCase())) known.push(name);
  }
  headers["vary"] = known.join(", ");
}
