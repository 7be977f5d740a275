/** A whole message of a stream with its head. */
export interface Envelope {
  readonly isCompressed: boolean;
  readonly message: Buffer;
  /** Head and message as they came. */
  readonly bytes: Buffer;
}

const headBytes = 5;

/**
 * Cuts a stream of Connect, gRPC or gRPC-Web into its messages: a byte of flags, four of length, and the message.
 *
 * From a head that no reader takes (unknown flags, more than `maxBytes`), and where the stream ends within a message,
 * bytes are yielded as they come.
 */
export async function* splitEnvelopes(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Envelope | Uint8Array> {
  let kept: Uint8Array[] = [];
  let size = 0;
  let needed = headBytes;
  let isForeign = false;
  for await (const chunk of chunks) {
    if (isForeign) {
      yield chunk;
      continue;
    }
    kept.push(chunk);
    size += chunk.length;
    while (size >= needed && !isForeign) {
      const all = kept.length === 1 && kept[0] instanceof Buffer ? kept[0] : Buffer.concat(kept);
      const flags = all.readUInt8(0);
      const length = all.readUInt32BE(1);
      isForeign = flags > 1 || length > maxBytes;
      needed = headBytes + length;
      if (isForeign || size < needed) {
        kept = [all];
        break;
      }
      const bytes = all.subarray(0, needed);
      yield { isCompressed: flags === 1, message: bytes.subarray(headBytes), bytes };
      kept = size === needed ? [] : [all.subarray(needed)];
      size -= needed;
      needed = headBytes;
    }
    if (isForeign) yield* kept;
  }
  if (!isForeign) yield* kept;
}
