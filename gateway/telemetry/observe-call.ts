import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { type Context, context } from "@opentelemetry/api";

type Next = ReturnType<Interceptor>;

export interface ObservedCall {
  readonly next: Next;
  readonly request: Parameters<Next>[0];
  /** The context in which the call runs and each of its messages is produced. */
  readonly active: Context;
  /** Called once: after the last message, or with the failure. */
  readonly end: (error: ConnectError | undefined) => void;
}

/** Makes an intercepted call, and tells its end. */
export function observeCall({ next, request, active, end }: ObservedCall): ReturnType<Next> {
  return context.with(active, async () => {
    try {
      const response = await next(request);
      if (response.stream) {
        return { ...response, message: observed(within(active, response.message), request.signal, end) };
      }
      end(undefined);
      return response;
    } catch (error) {
      end(ConnectError.from(error));
      throw error;
    }
  });
}

/** The same messages, each of them produced in the context. */
function within<T>(active: Context, messages: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      const end = iterator.return?.bind(iterator);
      return {
        next: () => context.with(active, () => iterator.next()),
        ...(end && { return: () => context.with(active, () => end()) }),
      };
    },
  };
}

/**
 * Passes the messages through; calls `end` once: with the last message, with the error, or as cancelled if the call
 * ends (by its signal) before either.
 */
function observed<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  end: (error: ConnectError | undefined) => void,
): AsyncIterable<T> {
  let ended = false;
  const endOnce = (error: ConnectError | undefined) => {
    if (!ended) {
      ended = true;
      signal.removeEventListener("abort", onAbort);
      end(error);
    }
  };
  const onAbort = () => endOnce(ConnectError.from(signal.reason, Code.Canceled));
  signal.addEventListener("abort", onAbort);

  async function* relay(): AsyncGenerator<T> {
    try {
      yield* messages;
      endOnce(undefined);
    } catch (error) {
      endOnce(ConnectError.from(error));
      throw error;
    } finally {
      endOnce(new ConnectError("the caller disconnected", Code.Canceled));
    }
  }
  return relay();
}
