import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { Request, Response } from "../body/request.ts";

/** A `google.rpc.Status` as JSON, for an error that cannot be serialized. */
export const internalError: string = JSON.stringify({ code: 13, message: "internal error", details: [] });

const connectBody = JSON.stringify({ code: "internal", message: "internal error" });

/**
 * Ends a request for which not even an error could be written: with a fixed 500 (for gRPC and gRPC-Web a fixed
 * INTERNAL), or by closing the connection if the head of a response was already sent. Never throws.
 */
export function sendFailure(request: Request, response: Response, wire: "rest" | "rpc"): void {
  try {
    const plain = response as ServerResponse;
    if (plain.headersSent || plain.destroyed) {
      destroy(response);
      return;
    }
    for (const name of plain.getHeaderNames()) {
      if (!name.startsWith("access-control-") && name !== "vary") plain.removeHeader(name);
    }
    const type = request.headers["content-type"] ?? "";
    if (wire === "rpc" && /^application\/grpc\b/.test(type)) {
      plain.writeHead(200, { "content-type": type, "grpc-status": "13", "grpc-message": "internal error" }).end();
      return;
    }
    plain.writeHead(500, { "content-type": "application/json" }).end(wire === "rest" ? internalError : connectBody);
  } catch {
    destroy(response);
  }
}

function destroy(response: Response): void {
  if ("stream" in response) (response as Http2ServerResponse).stream.destroy();
  else response.destroy();
}

/** Wraps a function to swallow its exceptions: reporting a failed request must not cause another failure. */
export function withoutThrowing<Arguments extends unknown[]>(
  report: ((...all: Arguments) => void) | undefined,
): (...all: Arguments) => void {
  return (...all) => {
    try {
      report?.(...all);
    } catch {
      // The request being reported still gets its response.
    }
  };
}
