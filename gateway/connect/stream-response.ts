import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import type { UniversalServerResponse } from "@connectrpc/connect/protocol";
import { clientGone, type Response, stopSending, writeChunk } from "../http/body.ts";

/**
 * Writes what a handler of Connect's answers, each chunk as it comes and no faster than the client reads.
 *
 * @throws where the client goes before the end; the handler has been told.
 */
export async function sendAnswer(answer: UniversalServerResponse, response: Response): Promise<void> {
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
  /** Writes head and trailers as one, where the protocol has a form for that. */
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
 * Writes to the stream itself. Node's response to an HTTP/2 request always ends with a frame of its own, sent a turn
 * later, and a client that has read all it waited for may have broken off its request by then.
 */
function http2Answer(response: Http2ServerResponse): Out {
  const { stream } = response;
  const respond = (headers: OutgoingHttpHeaders, { status, trailer }: UniversalServerResponse, endStream: boolean) => {
    if (stream.destroyed || stream.closed) throw clientGone();
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
      // The response sends them when the stream asks for them.
      response.addTrailers(nodeHeaders(trailer));
      stream.end();
    },
    refuse(answer) {
      respond({ ...nodeHeaders(answer.header), ...nodeHeaders(answer.trailer) }, answer, true);
      stopSending(stream);
    },
  };
}

/** gRPC's "Trailers-Only": a call that fails before its first message, when its head has nothing to say of its own. */
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
