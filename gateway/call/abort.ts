import { Code, ConnectError } from "@connectrpc/connect";

/** Abort reason of a call that its caller cancelled or abandoned. */
export function canceledByCaller(cause?: unknown): ConnectError {
  return new ConnectError("the caller cancelled the call", Code.Canceled, undefined, undefined, cause);
}

/** Abort reason of a call whose deadline has passed. */
export function deadlineExceeded(): ConnectError {
  return new ConnectError("the operation timed out", Code.DeadlineExceeded);
}

/**
 * Settles like `promise`, or rejects with the signal's reason as soon as it is aborted, even if the work ignores the
 * signal. A later result of `promise` is ignored, and a later rejection is handled. `reasonOf` converts the reason.
 */
export function untilAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
  reasonOf: (signal: AbortSignal) => unknown = ({ reason }) => reason,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(reasonOf(signal));
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
 * Yields the elements of `source` until the signal is aborted; then the pending and every later `next` rejects with its
 * reason, which `reasonOf` converts. The source's `return` is then called but not awaited, because a hanging source
 * would never settle it.
 */
export function abortable<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
  reasonOf?: (signal: AbortSignal) => unknown,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = source[Symbol.asyncIterator]();
      const stop = () => void iterator.return?.().catch(() => {});
      return {
        next: () =>
          untilAborted(iterator.next(), signal, reasonOf).catch((error: unknown) => {
            if (signal.aborted) {
              stop();
            }
            throw error;
          }),
        return: async () => {
          await untilAborted(Promise.resolve(iterator.return?.()), signal, reasonOf);
          return { done: true, value: undefined };
        },
      };
    },
  };
}
