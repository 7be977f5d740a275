import type { ServerResponse } from "node:http";
import type { Request, Response } from "./body.ts";

/**
 * Sends `100 Continue` when the body of a request with `Expect: 100-continue` is first read, and never where its
 * response comes before that: a client whose request is refused by its head need not send the body.
 */
export function continueWhenRead(request: Request, response: Response): void {
  const read = request._read;
  request._read = (size: number): void => {
    request._read = read;
    // What is read of a request that has its response is discarded.
    if (!response.headersSent) (response as ServerResponse).writeContinue();
    read.call(request, size);
  };
}
