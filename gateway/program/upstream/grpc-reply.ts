import type { Http2ServerRequest, Http2ServerResponse, OutgoingHttpHeaders } from "node:http2";
import type { Code, ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { withoutDetails } from "../../errors.ts";
import { stopSending } from "../../http/body/response.ts";

/** The response to a gRPC request over HTTP/2. Its messages are written to the stream itself. */
export interface GrpcReply {
  /** True once the headers are sent. */
  readonly hasBegun: boolean;
  /** The status that was sent, 0 for OK; undefined before. */
  readonly status: Code | 0 | undefined;
  /** Sends the headers. */
  begin(headers: OutgoingHttpHeaders): void;
  /** Ends the response. If it has not begun, headers and trailers are one block, gRPC's "Trailers-Only". */
  end(trailers: OutgoingHttpHeaders): void;
  /** Ends the response with an error. */
  fail(error: ConnectError): void;
}

/** Creates the response, with the headers that are already set on it. Once the client has left, nothing is sent. */
export function createGrpcReply(request: Http2ServerRequest, response: Http2ServerResponse): GrpcReply {
  const { stream } = response;
  const type = request.headers["content-type"] ?? "application/grpc";
  let status: number | undefined;
  const isGone = (): boolean => stream.destroyed || stream.closed;
  const headersWith = (headers: OutgoingHttpHeaders): OutgoingHttpHeaders => ({
    ...headers,
    ...response.getHeaders(),
    ":status": 200,
  });
  const end = (trailers: OutgoingHttpHeaders): void => {
    if (isGone()) return;
    status = Number(trailers["grpc-status"]);
    if (!stream.headersSent) {
      stream.respond(headersWith({ "content-type": type, ...trailers }), { endStream: true });
      stopSending(stream);
      return;
    }
    // The response sends them when the stream requests them.
    response.addTrailers(trailers);
    stream.end();
  };
  return {
    get hasBegun() {
      return stream.headersSent;
    },
    get status() {
      return status;
    },
    begin(headers) {
      if (!isGone()) stream.respond(headersWith(headers), { waitForTrailers: true });
    },
    end,
    fail(error) {
      const trailers = new Headers();
      setTrailerStatus(trailers, withoutDetails(error));
      end(Object.fromEntries(trailers));
    },
  };
}
