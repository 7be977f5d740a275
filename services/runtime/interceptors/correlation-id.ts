import type { Interceptor } from "@connectrpc/connect";
import { ConnectError } from "@connectrpc/connect";
import { requestIdKey } from "../context-values.ts";
import type { Ids } from "../values/ids.ts";

export const requestIdHeader = "x-request-id";

/** Format of a caller's request id: short, and safe in a log line and a header. */
const requestIdForm = /^[\w.:@/+=-]{1,128}$/;

/**
 * Assigns each call its request id: the caller's if well-formed, else a new one. It is returned in `x-request-id`, in
 * the response header or, for failed calls, in the error's metadata.
 */
export function createRequestIdInterceptor(ids: Ids): Interceptor {
  return (next) => async (request) => {
    const given = request.header.get(requestIdHeader);
    const requestId = given !== null && requestIdForm.test(given) ? given : ids.next();
    request.contextValues.set(requestIdKey, requestId);
    try {
      const response = await next(request);
      response.header.set(requestIdHeader, requestId);
      return response;
    } catch (error) {
      if (error instanceof ConnectError) {
        error.metadata.set(requestIdHeader, requestId);
      }
      throw error;
    }
  };
}
