import type { Interceptor } from "@connectrpc/connect";
import { abortable, untilAborted } from "../call/abort.ts";

/**
 * A call that is over before it begins does not reach its handler. Any other is answered the moment its signal is
 * aborted, whether the handler heeds it or not. The handler may go on: a commit that has begun is not undone by a
 * caller that does not wait for it.
 */
export const deadlineInterceptor: Interceptor = (next) => async (request) => {
  const { signal } = request;
  signal.throwIfAborted();
  const response = await untilAborted(next(request), signal);
  return response.stream ? { ...response, message: abortable(response.message, signal) } : response;
};
