import { promisify } from "node:util";
import {
  type BrotliDecompress,
  brotliCompress,
  brotliDecompress,
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  type Gunzip,
  gunzip,
  gzip,
  type Inflate,
  inflate,
} from "node:zlib";
import { Code, type ConnectError } from "@connectrpc/connect";
import { maxExpandedBytes, maxExpansion } from "../../codec/expansion.ts";
import { gatewayError, invalidRequest } from "../../errors.ts";
import { type DecodeBudget, processBudget } from "../limits/decode-budget.ts";

const gunzipAsync = promisify(gunzip);
const inflateAsync = promisify(inflate);
const brotliDecompressAsync = promisify(brotliDecompress);
const gzipAsync = promisify(gzip);
const brotliCompressAsync = promisify(brotliCompress);

/** Encodings of responses, in order of preference. */
export type ContentEncoding = "br" | "gzip" | "identity";

/** Minimum size of a response worth compressing, in bytes. */
export const compressMinBytes = 1024;

/** The body exceeds the size limit: 413. */
export function bodyTooLarge(maxBytes: number): ConnectError {
  return gatewayError({
    code: Code.ResourceExhausted,
    reason: "REQUEST_TOO_LARGE",
    message: `the request body is larger than ${maxBytes} bytes`,
    httpStatus: 413,
    headers: { Connection: "close" },
    metadata: { limitBytes: String(maxBytes) },
  });
}

/** The body exceeds the expansion limit: 413. */
export function expandsTooFar(): ConnectError {
  return gatewayError({
    code: Code.ResourceExhausted,
    reason: "REQUEST_EXPANDS_TOO_FAR",
    message: `the request body decompresses to more than ${maxExpansion} times its size; send it uncompressed`,
    httpStatus: 413,
    headers: { Connection: "close" },
    metadata: { maxExpansion: String(maxExpansion) },
  });
}

/** The bytes are invalid in the request's encoding: 400. */
export function malformedEncoding(name: string): ConnectError {
  return invalidRequest(
    [{ field: "", description: `the body is not valid ${name.slice(0, 40)}` }],
    "MALFORMED_ENCODING",
  );
}

function unsupported(encoding: string, accepted = "gzip, br, deflate"): ConnectError {
  return gatewayError({
    code: Code.Unimplemented,
    reason: "UNSUPPORTED_CONTENT_ENCODING",
    message: `content-encoding "${encoding.slice(0, 40)}" is not supported here; supported: ${accepted}`,
    httpStatus: 415,
    headers: { "Accept-Encoding": accepted },
  });
}

/** Rejects a body in an unsupported encoding. @throws ConnectError 415 */
export function assertEncoding(encoding: string): void {
  const name = encoding.trim().toLowerCase();
  if (!encodings.has(name)) throw unsupported(name);
}

const encodings: ReadonlySet<string> = new Set(["", "identity", "gzip", "x-gzip", "br", "deflate"]);

/** Rejects a body in any encoding. @throws ConnectError 415 */
export function refuseEncoding(encoding: string | undefined): void {
  const name = encoding?.trim().toLowerCase() ?? "";
  if (name !== "" && name !== "identity") throw unsupported(name, "identity");
}

/**
 * Decodes the Content-Encoding of a whole body. Stops as soon as the result would exceed `maxBytes` or {@link
 * maxExpandedBytes}, so that a small body cannot become a large one.
 *
 * @throws ConnectError: 413 above a limit, 415 for an unknown encoding, 400 for malformed bytes, 429 if too many bodies
 * are being decompressed.
 */
export async function decodeBody(
  body: Buffer,
  encoding: string | undefined,
  maxBytes: number,
  budget: DecodeBudget = processBudget,
): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return body;
  const limit = Math.min(maxBytes, maxExpandedBytes(body.length));
  await budget.reserve(limit);
  try {
    return await decompress(body, name, limit);
  } catch (error) {
    throw isTooLarge(error) ? (limit < maxBytes ? expandsTooFar() : bodyTooLarge(maxBytes)) : error;
  } finally {
    budget.release(limit);
  }
}

function isTooLarge(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
}

async function decompress(body: Buffer, name: string, maxOutputLength: number): Promise<Buffer> {
  const options = { maxOutputLength };
  try {
    switch (name) {
      case "gzip":
      case "x-gzip":
        return await gunzipAsync(body, options);
      case "br":
        return await brotliDecompressAsync(body, options);
      case "deflate":
        return await inflateAsync(body, options);
    }
  } catch (error) {
    throw isTooLarge(error) ? error : malformedEncoding(name);
  }
  throw unsupported(name);
}

/** A stream that decodes a Content-Encoding; undefined for identity. @throws ConnectError 415. */
export function createDecoder(encoding: string | undefined): Gunzip | Inflate | BrotliDecompress | undefined {
  const name = encoding?.trim().toLowerCase() ?? "";
  switch (name) {
    case "":
    case "identity":
      return undefined;
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "br":
      return createBrotliDecompress();
    case "deflate":
      return createInflate();
    default:
      throw unsupported(name);
  }
}

/** The best encoding allowed by an `Accept-Encoding` header; `br` before `gzip` if their weights are equal. */
export function negotiateEncoding(accept: string | undefined): ContentEncoding {
  if (accept === undefined || accept === "") return "identity";
  const weights = new Map<string, number>();
  for (const part of accept.split(",")) {
    const [name = "", ...parameters] = part.split(";");
    const quality = parameters
      .map((parameter) => /^\s*q\s*=\s*([\d.]+)\s*$/i.exec(parameter)?.[1])
      .find((weight) => weight);
    weights.set(name.trim().toLowerCase(), quality === undefined ? 1 : Number(quality));
  }
  const weightOf = (name: string): number => weights.get(name) ?? weights.get("*") ?? 0;
  const br = weightOf("br");
  const gz = weightOf("gzip");
  const identity = weights.get("identity") ?? 0;
  const best = Math.max(br, gz);
  if (best <= 0 || best < identity) return "identity";
  return br >= gz ? "br" : "gzip";
}

/** Compresses a whole response body. */
export function encodeBody(body: Buffer, encoding: ContentEncoding): Promise<Buffer> | Buffer {
  switch (encoding) {
    case "br":
      return brotliCompressAsync(body, {
        params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
      });
    case "gzip":
      return gzipAsync(body, { level: 6 });
    case "identity":
      return body;
    default:
      return encoding satisfies never;
  }
}
