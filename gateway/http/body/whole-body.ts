import type { IncomingMessage } from "node:http";
import type { ConnectError } from "@connectrpc/connect";
import type { DecodeBudget } from "../limits/decode-budget.ts";
import type { RequestMeter } from "../limits/request-meter.ts";
import { assertEncoding, bodyTooLarge, decodeBody, refuseEncoding } from "./content-encoding.ts";
import { clientDisconnected, connectionOf, cut, type Request } from "./request.ts";

/** Limits for reading a whole body. */
export interface BodyLimits {
  /** Maximum size, both compressed and decompressed. */
  readonly maxBytes: number;
  /** Meters the body while it arrives. */
  readonly meter: RequestMeter;
  /** Shared by all bodies that are being decompressed. */
  readonly budget?: DecodeBudget | undefined;
}

/**
 * Reads a whole body and decodes its Content-Encoding.
 *
 * @throws ConnectError. Before anything is read: 415 for an unknown encoding, and 413 for a `Content-Length` above
 * `maxBytes`. While reading: 413 above `maxBytes` (the excess is discarded, never kept) or above the expansion limit,
 * 408 if it arrives too slowly, 503 if unfinished bodies use too much memory, 429 if too many are being decompressed,
 * CANCELLED if the client disconnects.
 */
export function readBody(request: Request, limits: BodyLimits): Promise<Buffer> {
  const { maxBytes, budget } = limits;
  const encoding = request.headers["content-encoding"];
  if (encoding === undefined) return readRaw(request, limits);
  assertEncoding(encoding);
  return readRaw(request, limits).then((body) => decodeBody(body, encoding, maxBytes, budget));
}

/**
 * Reads a whole body that must have no Content-Encoding, because the sender signed its bytes.
 *
 * @throws ConnectError: 415 for an encoding, 413 and CANCELLED as {@link readBody}.
 */
export async function readUnencoded(request: Request, limits: BodyLimits): Promise<Buffer> {
  refuseEncoding(request.headers["content-encoding"]);
  return readRaw(request, limits);
}

/** Reads a whole body without decoding it. @throws as {@link readBody}. */
export function readRaw(request: Request, { maxBytes, meter }: BodyLimits): Promise<Buffer> {
  const length = request.headers["content-length"];
  if (length !== undefined && Number(length) > maxBytes) return Promise.reject(bodyTooLarge(maxBytes));
  return new Promise<Buffer>((resolve, reject) => {
    const incoming = request as IncomingMessage;
    const chunks: Buffer[] = [];
    let size = 0;
    let ended = false;
    let refused = false;
    const refuse = (error: ConnectError): void => {
      refused = true;
      chunks.length = 0;
      received.end();
      reject(error);
    };
    const received = meter.begin(connectionOf(request), (reason) => refuse(cut(request, reason)));
    incoming.on("data", (chunk: Buffer) => {
      if (refused) return;
      size += chunk.length;
      if (size > maxBytes) {
        refuse(bodyTooLarge(maxBytes));
        return;
      }
      chunks.push(chunk);
      received.add(chunk.length);
    });
    incoming.on("end", () => {
      ended = true;
      received.end();
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    const onGone = (): void => {
      // `close` also follows a complete body, and an unused error would cost as much as reading the body.
      if (ended) return;
      received.end();
      reject(clientDisconnected());
    };
    incoming.on("error", onGone);
    incoming.on("close", onGone);
  });
}
