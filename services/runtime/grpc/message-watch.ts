import type { ServerHttp2Stream } from "node:http2";
import type { CutReason, RequestMeter } from "../../../gateway/http/limits/request-meter.ts";

/** Rules for the messages of one call. */
export interface MessageRules {
  readonly maxMessageBytes: number;
  /** Whether the call declares an encoding; without one, compressed messages are forbidden. */
  readonly mayCompress: boolean;
  /** Whether the request is a single message, which must arrive at a minimum rate; streams may be idle. */
  readonly isOneMessage: boolean;
  readonly meter: RequestMeter;
}

/** Reason to reject a call by the heads of its messages. */
export type MessageFault =
  | { readonly kind: "compressed" }
  | { readonly kind: "too large"; readonly length: number }
  | { readonly kind: CutReason };

const headLength = 5;

/**
 * Checks the messages of a call as they arrive: flags, lengths, rate, and the bytes held until they are complete. Calls
 * `onFault` at most once, before readers attached later receive the offending bytes.
 */
export function watchMessages(
  stream: ServerHttp2Stream,
  rules: MessageRules,
  onFault: (fault: MessageFault) => void,
): void {
  /** Number of head bytes read, and the length decoded from them so far. */
  let known = 0;
  let length = 0;
  /** Remaining bytes of the current message. */
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
