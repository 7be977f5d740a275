/** Receives the parts of enveloped messages. A callback may throw, which ends the scan. */
export interface EnvelopeListener {
  /** A message of `length` bytes, without its five-byte head, begins. */
  begin?(length: number): void;
  /** The next `count` bytes of the message. */
  bytes?(count: number): void;
  /** The message is complete. */
  end?(): void;
}

/** Follows the framing of a stream of enveloped messages: five bytes that include the length of what follows. */
export interface EnvelopeScanner {
  /** Scans the next bytes of the stream. */
  add(chunk: Buffer): void;
  /** True between the first byte of a message and its last one. */
  readonly isWithinMessage: boolean;
}

const headLength = 5;

/** Creates a scanner, which keeps no bytes of messages. */
export function scanEnvelopes({ begin, bytes, end }: EnvelopeListener): EnvelopeScanner {
  const head = Buffer.alloc(headLength);
  let known = 0;
  let rest = 0;
  return {
    add(chunk) {
      for (let at = 0; at < chunk.length; ) {
        if (known < headLength) {
          const step = chunk.copy(head, known, at);
          known += step;
          at += step;
          if (known < headLength) return;
          rest = head.readUInt32BE(1);
          begin?.(rest);
        }
        const step = Math.min(rest, chunk.length - at);
        rest -= step;
        at += step;
        bytes?.(step);
        if (rest > 0) return;
        known = 0;
        end?.();
      }
    },
    get isWithinMessage() {
      return known > 0;
    },
  };
}
