import type { Server } from "node:http";
import { constants, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { ServerLimits } from "./server-limits.ts";

/**
 * Closes connections of HTTP/1 whose client takes nothing of a response for `stallMs`, those without a request as Node
 * does, and those with one on which nothing moves for `idleMs`.
 *
 * Node's timer of a socket starts again with every byte that moves in either direction, the parts of a large write
 * included.
 *
 * @param isResponding true while a response of the connection has not been written.
 */
export function closeStalled(
  server: Server | Http2SecureServer,
  isResponding: (socket: Socket) => boolean,
  { stallMs, idleMs }: Pick<ServerLimits, "stallMs" | "idleMs">,
): void {
  const roundMs = Math.min(stallMs, idleMs);
  /** When a connection began to rest, and the bytes that it had moved by then. */
  const resting = new WeakMap<Socket, { readonly bytes: number; readonly since: number }>();
  server.setTimeout(roundMs);
  server.on("timeout", (socket: Socket | object) => {
    // Sessions of HTTP/2 have a timer of their own.
    if (!("bytesRead" in socket)) return;
    if (socket.writableLength > 0 || !isResponding(socket)) {
      socket.destroy();
      return;
    }
    const now = performance.now();
    const bytes = socket.bytesRead + socket.bytesWritten;
    const before = resting.get(socket);
    const rest = before?.bytes === bytes ? before : { bytes, since: now - roundMs };
    resting.set(socket, rest);
    const leftMs = rest.since + idleMs - now;
    if (leftMs <= 0) socket.destroy();
    else socket.setTimeout(Math.min(roundMs, Math.ceil(leftMs)));
  });
}

/** Resets a stream of HTTP/2 whose client takes nothing of the response for `stallMs`. */
export function closeStalledStream(stream: ServerHttp2Stream, stallMs: number): void {
  stream.setTimeout(stallMs, () => {
    if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
  });
}
