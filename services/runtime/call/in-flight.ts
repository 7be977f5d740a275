import type { ConnectError } from "@connectrpc/connect";
import type { Call } from "../../../gateway/call/call-context.ts";

/**
 * Tracks the calls in flight of a server. Exchanges end soon; streams may stay open indefinitely, so a server that
 * shuts down waits for exchanges and aborts streams.
 */
export interface InFlight {
  enter(call: Call, form: "exchange" | "stream"): void;
  /** Ignores calls that were never entered or have left. */
  leave(call: Call): void;
  /** Resolves when no exchange is in flight. */
  exchangesDone(): Promise<void>;
  /** Ends every call of this form with `reason`, which is reported to its caller. */
  abort(form: "exchange" | "stream", reason: ConnectError): void;
  readonly size: number;
}

export function createInFlight(): InFlight {
  const exchanges = new Set<Call>();
  const streams = new Set<Call>();
  let waiting: (() => void)[] = [];
  return {
    enter(call, form) {
      (form === "exchange" ? exchanges : streams).add(call);
    },
    leave(call) {
      streams.delete(call);
      if (exchanges.delete(call) && exchanges.size === 0) {
        for (const resolve of waiting) {
          resolve();
        }
        waiting = [];
      }
    },
    async exchangesDone() {
      if (exchanges.size > 0) {
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    abort(form, reason) {
      for (const call of form === "exchange" ? exchanges : streams) {
        call.abort(reason);
      }
    },
    get size() {
      return exchanges.size + streams.size;
    },
  };
}
