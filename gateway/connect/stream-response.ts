import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { clientDisconnected, type Response } from "../http/body/request.ts";
import { stopSending, writeChunk } from "../http/body/response.ts";

/**
 * Writes the response of a Connect handler, each chunk as it is produced and no faster than the client reads.
 *
 * @throws if the client disconnects before the end; the handler has been notified.
 */
export async function sendStreamResponse(answer: UniversalServerResponse, response: Response): Promise<void> {
  const out = "stream" in response ? http2Answer(response) : http1Answer(response);
  const chunks = answer.body?.[Symbol.asyncIterator]();
  // A handler may set headers until its first chunk, and trailers until its last.
  let chunk = await chunks?.next();
  try {
    const isEmpty = chunk === undefined || chunk.done === true;
    if (isEmpty && out.refuse !== undefined && isRefusal(answer)) {
      out.refuse(answer);
      return;
    }
    out.begin(answer);
    while (chunk !== undefined && chunk.done !== true) {
      await writeChunk(out.body, chunk.value);
      chunk = await chunks?.next();
    }
    out.end(answer);
  } catch (error) {
    await chunks?.throw?.(error).catch(() => undefined);
    throw error;
  }
}

interface Out {
  readonly body: ServerHttp2Stream | ServerResponse;
  begin(answer: UniversalServerResponse): void;
  end(answer: UniversalServerResponse): void;
  /** Writes headers and trailers as one block, if the protocol supports it. */
  refuse?(answer: UniversalServerResponse): void;
}

function http1Answer(response: ServerResponse): Out {
  return {
    body: response,
    begin: ({ status, header }) => response.writeHead(status, nodeHeaders(header)),
    end({ trailer }) {
      if (trailer !== undefined) response.addTrailers(nodeHeaders(trailer));
      response.end();
    },
  };
}

/**
 * Writes to the stream itself. Node's response to an HTTP/2 request always ends with a separate frame, sent one turn
 * later; by then a client that has read all it expects may have reset its request.
 */
function http2Answer(response: Http2ServerResponse): Out {
  const { stream } = response;
  const respond = (headers: OutgoingHttpHeaders, { status, trailer }: UniversalServerResponse, endStream: boolean) => {
    if (stream.destroyed || stream.closed) throw clientDisconnected();
    const waitForTrailers = trailer !== undefined && !endStream;
    stream.respond({ ...response.getHeaders(), ...headers, ":status": status }, { endStream, waitForTrailers });
  };
  return {
    body: stream,
    begin: (answer) => respond(nodeHeaders(answer.header), answer, false),
    end({ trailer }) {
      if (trailer === undefined) {
        stream.end();
        stopSending(stream);
        return;
      }
      // The response sends them when the stream requests them.
      response.addTrailers(nodeHeaders(trailer));
      stream.end();
    },
    refuse(answer) {
      respond({ ...nodeHeaders(answer.header), ...nodeHeaders(answer.trailer) }, answer, true);
      stopSending(stream);
    },
  };
}

/** True for gRPC's "Trailers-Only": the call failed before its first message and has no headers of its own. */
function isRefusal({ header, trailer }: UniversalServerResponse): boolean {
  if (trailer === undefined || trailer.get("grpc-status") === "0") return false;
  return header === undefined || [...header.keys()].every((name) => /^(content-type$|grpc-)/.test(name));
}

function nodeHeaders(from: Headers | undefined): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  from?.forEach((value, name) => {
    if (name !== "set-cookie") headers[name] = value;
  });
  const cookies = from?.getSetCookie() ?? [];
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  return headers;
}
