import { subscribe } from "node:diagnostics_channel";
import { type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from "node:http2";

let isInstalled = false;

/**
 * Makes cancelled gRPC calls of this process end with RST_STREAM alone.
 *
 * grpc-js cancels with Node's `close(NGHTTP2_CANCEL)`, which first ends the stream: the server receives END_STREAM
 * before RST_STREAM and mistakes a partial client stream for a complete one. Repeated calls have no effect.
 */
export function cancelAbruptly(): void {
  if (isInstalled) return;
  isInstalled = true;
  subscribe("http2.client.stream.created", (message) => {
    const { stream, headers } = message as { stream: ClientHttp2Stream; headers: OutgoingHttpHeaders };
    if (!String(headers["content-type"]).startsWith("application/grpc")) return;
    const close = stream.close.bind(stream);
    stream.close = (code, callback) => {
      if (code !== undefined && code !== constants.NGHTTP2_NO_ERROR) stream.end = () => stream;
      close(code, callback);
    };
  });
}
