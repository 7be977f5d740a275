import type { Server } from "node:http";
import { constants, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { ServerLimits } from "../limits/server-limits.ts";

/**
 * Closes HTTP/1 connections whose client reads none of a response for `stallMs`, those without a request as Node does,
 * and those with a request that are idle for `idleMs`.
 *
 * Node restarts a socket's timer with every byte that moves in either direction, including parts of a large write.
 *
 * @param isResponding true while a response of the connection is unwritten.
 */
export function closeStalled(
  server: Server | Http2SecureServer,
  isResponding: (socket: Socket) => boolean,
  { stallMs, idleMs }: Pick<ServerLimits, "stallMs" | "idleMs">,
): void {
  const roundMs = Math.min(stallMs, idleMs);
  /** When a connection became idle, and the bytes it had moved by then. */
  const resting = new WeakMap<Socket, { readonly bytes: number; readonly since: number }>();
  server.setTimeout(roundMs);
  server.on("timeout", (socket: Socket | object) => {
    // HTTP/2 sessions have their own timer.
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

/** Resets an HTTP/2 stream whose client reads none of the response for `stallMs`. */
export function closeStalledStream(stream: ServerHttp2Stream, stallMs: number): void {
  stream.setTimeout(stallMs, () => {
    if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
  });
}
