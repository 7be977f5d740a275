import type { ServerResponse } from "node:http";
import type { Request, Response } from "../body/request.ts";

/**
 * Sends `100 Continue` when the body of a request with `Expect: 100-continue` is first read, unless its response was
 * sent before: a client whose request is rejected by its head need not send the body.
 */
export function continueWhenRead(request: Request, response: Response): void {
  const read = request._read;
  request._read = (size: number): void => {
    request._read = read;
    // The body of a request that has its response is read only to be discarded.
    if (!response.headersSent) (response as ServerResponse).writeContinue();
    read.call(request, size);
  };
}
