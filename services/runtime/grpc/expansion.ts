import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { maxExpandedBytes, maxExpansion } from "../../../gateway/codec/expansion.ts";

const decompressors = { gzip: promisify(gunzip), deflate: promisify(inflate) };
const headBytes = 5;

/** Bounds what is being decompressed at once, in bytes. Rejects with a ConnectError where the wait takes too long. */
export interface DecompressionBudget {
  reserve(bytes: number): Promise<void> | undefined;
  release(bytes: number): void;
}

/** What grpc-js has no hook for: the function with which a call decompresses its messages, heads included. */
interface Decompressing {
  decompressMessage(message: Buffer, encoding: string): Buffer | Promise<Buffer>;
}

/**
 * Limits what the messages of a call may decompress to: a message of a few bytes cannot become one of megabytes.
 *
 * @param wire as grpc-js made it, before any interceptor.
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

/** A status as grpc-js takes it from a failed decompression. */
function refusal(code: status, details: string) {
  return { code, details, metadata: null };
}
