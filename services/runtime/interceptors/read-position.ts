import type { Interceptor } from "@connectrpc/connect";
import { readPositionKey } from "../context-values.ts";
import { includingBoth, type ReadPosition, readPositionFrom } from "../db/read-position.ts";

/**
 * Header of requests and responses with the position of the database that reads on a replica must include. Opaque to
 * callers, who send back what they received, so that they read their own writes through any process.
 */
export const readPositionHeader = "docket-read-position";

/** Takes the caller's position, and returns the one that its next reads must include. */
export function createReadPositionInterceptor(position: ReadPosition): Interceptor {
  return (next) => async (request) => {
    const given = readPositionFrom(request.header.get(readPositionHeader));
    request.contextValues.set(readPositionKey, given);
    const response = await next(request);
    const ofOthers = readPositionFrom(response.header.get(readPositionHeader));
    const reached = [given, ofOthers].reduce(includingBoth, position.current);
    if (reached !== "") {
      response.header.set(readPositionHeader, reached);
    }
    return response;
  };
}
