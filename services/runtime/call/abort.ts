import { Code, ConnectError } from "@connectrpc/connect";

/** Why a call is aborted whose caller went away or cancelled it. */
export function canceledByCaller(cause?: unknown): ConnectError {
  return new ConnectError("the caller cancelled the call", Code.Canceled, undefined, undefined, cause);
}

/** Why a call is aborted whose time is over. */
export function deadlineExceeded(): ConnectError {
  return new ConnectError("the deadline passed before the call was answered", Code.DeadlineExceeded);
}

/**
 * Settles like `promise`, or rejects with the signal's reason as soon as it is aborted. What `promise` does
 * afterwards is of no consequence; it is not left unhandled.
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) {
      promise.catch(() => {});
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort);
    promise.then(
      (value) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    );
  });
}

/**
 * The same elements, until the signal is aborted: then the pending and every later `next` rejects with its reason,
 * and the source is told to return (without waiting, as a source that hangs would never answer).
 */
export function abortable<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = source[Symbol.asyncIterator]();
      const stop = () => void iterator.return?.().catch(() => {});
      return {
        next: () =>
          untilAborted(iterator.next(), signal).catch((error: unknown) => {
            if (signal.aborted) {
              stop();
            }
            throw error;
          }),
        return: async () => {
          await untilAborted(Promise.resolve(iterator.return?.()), signal);
          return { done: true, value: undefined };
        },
      };
    },
  };
}
