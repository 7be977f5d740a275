import type { ServerHttp2Stream } from "node:http2";
import type { CutReason, RequestMeter } from "../../../gateway/http/request-meter.ts";

/** What the messages of one call may be. */
export interface MessageRules {
  readonly maxMessageBytes: number;
  /** Whether the call has an encoding, without which no message may be compressed. */
  readonly mayCompress: boolean;
  /** Whether the request is one message, which must arrive at a rate; messages of a stream may rest. */
  readonly isOneMessage: boolean;
  readonly meter: RequestMeter;
}

/** Why a call is refused by what its messages' heads say. */
export type MessageFault =
  | { readonly kind: "compressed" }
  | { readonly kind: "too large"; readonly length: number }
  | { readonly kind: CutReason };

const headLength = 5;

/**
 * Follows the messages of a call while they arrive: their flags, lengths, rate, and the bytes that are held until they
 * are whole. Calls `onFault` at most once, before a reader of the stream that listens later gets the offending bytes.
 */
export function watchMessages(
  stream: ServerHttp2Stream,
  rules: MessageRules,
  onFault: (fault: MessageFault) => void,
): void {
  /** How many bytes of a head are known, and the length as far as they say it. */
  let known = 0;
  let length = 0;
  /** What is still to come of a message. */
  let rest = 0;
  let faulty = false;
  const fail = (fault: MessageFault) => {
    faulty = true;
    received.end();
    onFault(fault);
  };
  const received = rules.meter.begin(stream.session ?? stream, (kind) => fail({ kind }), rules.isOneMessage);
  const end = () => received.end();
  stream.once("end", end);
  stream.once("close", end);

  /** Reads the next byte of a head: flags, then the length. */
  const readHead = (byte: number) => {
    known += 1;
    if (known === 1) {
      length = 0;
      if (byte === 1 && !rules.mayCompress) {
        fail({ kind: "compressed" });
      }
      return;
    }
    length = length * 256 + byte;
    if (known < headLength) {
      return;
    }
    known = 0;
    rest = length;
    if (length > rules.maxMessageBytes) {
      fail({ kind: "too large", length });
    }
  };

  stream.on("data", (chunk: Buffer) => {
    for (let at = 0; at < chunk.length && !faulty; ) {
      if (rest === 0) {
        readHead(chunk[at] ?? 0);
        at += 1;
        continue;
      }
      const step = Math.min(rest, chunk.length - at);
      rest -= step;
      at += step;
      received.add(step);
      if (rest === 0) {
        received.next();
      }
    }
  });
}
