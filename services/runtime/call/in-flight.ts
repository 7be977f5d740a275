import type { ConnectError } from "@connectrpc/connect";
import type { Call } from "./call-context.ts";

/**
 * The calls that a server is busy with. Exchanges end by themselves, soon; streams may be open for as long as
 * somebody watches, so that a server that wants to stop waits for the first and ends the second.
 */
export interface InFlight {
  enter(call: Call, form: "exchange" | "stream"): void;
  /** Calls that were never entered, or have left, may leave. */
  leave(call: Call): void;
  /** Resolves when no exchange is in flight, at once if none is. */
  exchangesDone(): Promise<void>;
  /** Ends every call of this form with `reason`, which its caller gets as the error. */
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
