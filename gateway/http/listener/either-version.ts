import type { Server as Http1Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";

/** The connection preface of HTTP/2 (RFC 9113, section 3.4); no HTTP/1 request starts like it. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** How long a client may take to send its first bytes, in milliseconds. */
const silenceMs = 20_000;

/** HTTP/2 on the port of an HTTP/1 server. */
export interface EitherVersion {
  readonly http2: Http2Server;
  /**
   * Lets the requests of the HTTP/2 sessions finish and then closes the sessions; closes connections that have sent
   * nothing.
   */
  closeSessions(): void;
}

/**
 * Serves HTTP/2 without TLS (h2c, with prior knowledge) on the port of an HTTP/1 server. The first bytes of a
 * connection determine its version. Install it before the server listens.
 */
export function acceptHttp2(http1: Http1Server, settings: { readonly maxConcurrentStreams: number }): EitherVersion {
  const http2 = createHttp2Server({ settings });
  const sessions = new Set<ServerHttp2Session>();
  const undecided = new Set<Socket>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  const serveHttp1 = http1.listeners("connection") as ((socket: Socket) => void)[];
  http1.removeAllListeners("connection");
  http1.on("connection", (socket: Socket) => {
    undecided.add(socket);
    socket.once("close", () => undecided.delete(socket));
    firstBytes(socket, (isHttp2) => {
      undecided.delete(socket);
      if (isHttp2) {
        // Unlike HTTP/1, HTTP/2 has no half-closed connections: a client that closes its side has left.
        socket.allowHalfOpen = false;
        http2.emit("connection", socket);
      } else for (const serve of serveHttp1) serve.call(http1, socket);
    });
  });
  return {
    http2,
    closeSessions() {
      for (const session of sessions) session.close();
      for (const socket of undecided) socket.destroy();
    },
  };
}

/** Peeks at the first bytes of a connection. Closes a connection that sends none. */
function firstBytes(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let head = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), silenceMs).unref();
  const onError = (): void => void socket.destroy();
  const stop = (): void => {
    clearTimeout(timer);
    socket.off("readable", look);
    socket.off("error", onError);
    socket.off("end", onError);
    socket.off("close", stop);
  };
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = Buffer.concat([head, chunk]);
    const isHttp2 = preface.subarray(0, head.length).equals(head.subarray(0, preface.length));
    // Up to "PR" it may be a PROPFIND.
    if (isHttp2 && head.length < 3) return;
    stop();
    socket.unshift(head);
    decide(isHttp2);
  };
  socket.on("error", onError);
  socket.on("end", onError);
  socket.on("close", stop);
  socket.on("readable", look);
}
