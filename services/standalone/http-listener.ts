import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { isWebSocketUpgrade } from "../../gateway/websocket.ts";

/** What answers requests, and requests to change the protocol. */
export type HttpHandler = RequestListener & {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
};

/** The HTTP port. It may listen before there is anything to serve. */
export interface HttpListener {
  /** The port that it listens on. */
  readonly port: number;
  /** Hands requests to this handler from now on; before, they are answered 503. */
  serve(handler: HttpHandler): void;
  /** Asks connections to close after their next answer. */
  askToLeave(): void;
  /** Aborted when what is in flight has used up half of its grace on the way out. */
  readonly overdue: AbortSignal;
  /** Accepts nothing more; what is in flight finishes; after `graceMs` what is left is cut. Repeatable. */
  close(graceMs: number): Promise<void>;
}

/** A request's headers must be there by then, which ends a slowloris. */
const headersTimeoutMs = 20_000;

/** Listens on that port, any free one where it is 0. */
export async function listenHttp(host: string, port: number): Promise<HttpListener> {
  let leaving = false;
  let current: RequestListener = (_request, response) => {
    response.writeHead(503, { "retry-after": "1", "content-type": "application/json" });
    response.end(JSON.stringify({ code: 14, message: "Docket is starting", details: [] }));
  };
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: 0,
      noDelay: true,
      shouldUpgradeCallback: isWebSocketUpgrade,
    },
    (request, response) => {
      if (leaving) {
        response.setHeader("connection", "close");
      }
      current(request, response);
    },
  );
  // Sockets that speak another protocol now are none of the HTTP server's connections any more.
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(port, host);
  await once(server, "listening");

  const overdue = new AbortController();
  let closed: Promise<void> | undefined;
  const close = async (graceMs: number) => {
    leaving = true;
    const ended = once(server, "close");
    server.close();
    server.closeIdleConnections();
    const hurry = setTimeout(() => overdue.abort(new Error("the server is shutting down")), graceMs / 2);
    const cut = setTimeout(() => {
      for (const socket of sockets) {
        socket.destroy();
      }
    }, graceMs);
    await ended;
    clearTimeout(hurry);
    clearTimeout(cut);
  };
  return {
    port: (server.address() as AddressInfo).port,
    serve: (handler) => {
      current = handler;
      server.on("upgrade", handler.upgrade);
    },
    overdue: overdue.signal,
    askToLeave: () => {
      leaving = true;
    },
    close(graceMs) {
      closed ??= close(graceMs);
      return closed;
    },
  };
}
