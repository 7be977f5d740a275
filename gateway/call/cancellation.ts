import type { ServerResponse } from "node:http";
import { ConnectError } from "@connectrpc/connect";
import { clientDisconnected, type Response } from "../http/body/request.ts";
import { canceledByCaller, deadlineExceeded } from "./abort.ts";

/** What ends a call besides its deadline and its own completion. */
export interface Cancellation {
  /** Calls `cancel` if the call has been cancelled already. */
  check(cancel: (reason: unknown) => void): void;
  /** Calls `cancel` when the call is cancelled. Returns the function that stops watching. */
  watch(cancel: (reason: unknown) => void): () => void;
}

/**
 * The client's connection, and the server's shutdown.
 *
 * @param shutdown Its reason becomes that of the call.
 */
export function clientConnection(response: Response, shutdown: AbortSignal | undefined): Cancellation {
  return new Connection(response, shutdown);
}

/** Signals, whose reasons become that of the call. Those that are undefined never abort. */
export function signalsOf(signals: readonly (AbortSignal | undefined)[], convert = asIs): Cancellation {
  const sources = signals.filter((signal) => signal !== undefined);
  return {
    check(cancel) {
      const aborted = sources.find((signal) => signal.aborted);
      if (aborted !== undefined) cancel(convert(aborted.reason));
    },
    watch(cancel) {
      const stops = sources.map((signal) => {
        const onAbort = (): void => cancel(convert(signal.reason));
        signal.addEventListener("abort", onAbort);
        return () => signal.removeEventListener("abort", onAbort);
      });
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

/** A caller in this process: its own deadline stays one, any other reason is a cancellation. */
export function callerSignal(signal: AbortSignal): Cancellation {
  return signalsOf([signal], (reason) => {
    if (reason instanceof ConnectError) return reason;
    const isTimeout = (reason as Error | undefined)?.name === "TimeoutError";
    return isTimeout ? deadlineExceeded() : canceledByCaller(reason);
  });
}

function asIs(reason: unknown): unknown {
  return reason;
}

class Connection implements Cancellation {
  readonly #response: Response;
  readonly #shutdown: AbortSignal | undefined;

  constructor(response: Response, shutdown: AbortSignal | undefined) {
    this.#response = response;
    this.#shutdown = shutdown;
  }

  check(cancel: (reason: unknown) => void): void {
    if (this.#shutdown?.aborted === true) cancel(this.#shutdown.reason);
    else if (isClosed(this.#response)) this.#onClose(cancel);
  }

  watch(cancel: (reason: unknown) => void): () => void {
    const shutdown = this.#shutdown;
    const response = this.#response as NodeJS.EventEmitter;
    const onClose = (): void => this.#onClose(cancel);
    const onShutdown = (): void => cancel(shutdown?.reason);
    response.on("close", onClose);
    shutdown?.addEventListener("abort", onShutdown);
    return () => {
      response.off("close", onClose);
      shutdown?.removeEventListener("abort", onShutdown);
    };
  }

  #onClose(cancel: (reason: unknown) => void): void {
    // An HTTP/2 stream that was reset counts as finished although it has not been ended.
    const { writableEnded, writableFinished } = this.#response as ServerResponse;
    if (!(writableEnded && writableFinished)) cancel(clientDisconnected());
  }
}

/** True once the response has emitted `close`. */
function isClosed(response: Response): boolean {
  return "stream" in response ? response.stream.closed : response.closed;
}
