import type { Interceptor } from "@connectrpc/connect";

const header = "docket-read-position";
/** More calls at once than this lose what the oldest of them wrote. */
const maxPositions = 16;

/**
 * Sends back the positions that responses carry, so that the client reads what it has written, whichever replica
 * answers. A response includes every position that its request had.
 */
export function withReadPosition(): Interceptor {
  let positions: readonly string[] = [];
  return (next) => async (request) => {
    const sent = positions;
    if (sent.length > 0) {
      request.header.set(header, sent.join(","));
    }
    const response = await next(request);
    const received = response.header.get(header);
    if (received !== null) {
      positions = [
        ...positions.filter((position) => !sent.includes(position) && position !== received),
        received,
      ].slice(-maxPositions);
    }
    return response;
  };
}
