import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { maxExpandedBytes, maxExpansion } from "../../../gateway/codec/expansion.ts";

const decompressors = { gzip: promisify(gunzip), deflate: promisify(inflate) };
const headBytes = 5;

/** Bounds the bytes being decompressed concurrently. Rejects with a ConnectError if the wait takes too long. */
export interface DecompressionBudget {
  reserve(bytes: number): Promise<void> | undefined;
  release(bytes: number): void;
}

/** The function that a grpc-js call uses to decompress messages, their heads included. There is no public hook. */
interface Decompressing {
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
}

/**
 * Limits the decompressed size of a call's messages, against decompression bombs.
 *
 * @param wire The call as created by grpc-js, before any interceptor.
 */
export function limitExpansion(
  wire: ServerInterceptingCallInterface,
  maxMessageBytes: number,
  budget: DecompressionBudget | undefined,
): void {
  (wire as unknown as Decompressing).decompressMessage = (message, encoding) => {
    const contents = message.subarray(headBytes);
    return encoding === "gzip" || encoding === "deflate"
      ? decompress(contents, encoding, Math.min(maxMessageBytes, maxExpandedBytes(contents.length)), budget)
      : contents;
  };
}

async function decompress(
  contents: Buffer,
  encoding: keyof typeof decompressors,
  maxOutputLength: number,
  budget: DecompressionBudget | undefined,
): Promise<Buffer> {
  try {
    await budget?.reserve(maxOutputLength);
  } catch {
    throw refusal(status.RESOURCE_EXHAUSTED, "too many compressed messages are being decoded; try again in a second");
  }
  try {
    return await decompressors[encoding](contents, { maxOutputLength });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") {
      throw refusal(status.INVALID_ARGUMENT, `the message is not valid ${encoding}`);
    }
    const limit = `${maxOutputLength} bytes, which is the limit or more than ${maxExpansion} times its size`;
    throw refusal(status.RESOURCE_EXHAUSTED, `the message decompresses to more than ${limit}; send it uncompressed`);
  } finally {
    budget?.release(maxOutputLength);
  }
}

/** A status in the form that grpc-js expects from a failed decompression. */
function refusal(code: status, details: string) {
  return { code, details, metadata: null };
}
