import type { Interceptor } from "@connectrpc/connect";
import { abortable, untilAborted } from "../../../gateway/call/abort.ts";

/**
 * Enforces deadlines and cancellation. An expired call does not reach its handler. Any other ends as soon as its signal
 * is aborted, even if the handler ignores it. The handler may continue: a commit in progress is not undone by a caller
 * that stops waiting.
 */
export const deadlineInterceptor: Interceptor = (next) => async (request) => {
  const { signal } = request;
  signal.throwIfAborted();
  const response = await untilAborted(next(request), signal);
  return response.stream ? { ...response, message: abortable(response.message, signal) } : response;
};
