import { createServer, type RequestListener } from "node:http";
import { createSecureServer, type Http2Session } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import type { HttpHandler } from "../http-server.ts";

/** The certificate chain and its key, PEM. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** A port that serves. Disposing takes no more connections and lets calls end, for ten seconds at the most. */
export interface Listener extends AsyncDisposable {
  readonly url: string;
  /** New connections get the new certificate. */
  renew(certificate: Certificate): void;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** With one the port speaks TLS: HTTP/2 and HTTP/1.1, whichever the client chooses. */
  readonly certificate: Certificate | undefined;
  readonly handler: HttpHandler;
  /** Called when the time to end is over, before the connections are cut. */
  readonly onCut?: () => void;
}

const graceMs = 10_000;

const timeouts = {
  headersTimeout: 60_000,
  // A request may be a stream that goes on for hours.
  requestTimeout: 0,
  // Longer than load balancers keep idle connections, which would otherwise send requests into closing ones.
  keepAliveTimeout: 75_000,
};

/** Listens. @throws where the port is taken or may not be had. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { handler, certificate, host, port: wanted } = options;
  const sessions = new Set<Http2Session>();
  const sockets = new Set<Socket>();
  const plainOptions = { ...timeouts, shouldUpgradeCallback: handler.shouldUpgrade };
  const plain = certificate === undefined ? createServer(plainOptions, handler as RequestListener) : undefined;
  const secure = certificate && createSecureServer({ ...certificate, ...timeouts, allowHTTP1: true }, handler);
  const server = secure ?? plain ?? createServer();
  secure?.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request, socket, head) => handler.upgrade(request, socket, head));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(wanted, host, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `${secure === undefined ? "http" : "https"}://${address.includes(":") ? `[${address}]` : address}:${port}`,
    renew: (renewed) => secure?.setSecureContext(renewed),
    async [Symbol.asyncDispose]() {
      const closed = new Promise<unknown>((resolve) => server.close(resolve));
      plain?.closeIdleConnections();
      for (const session of sessions) session.close();
      const timer = setTimeout(() => {
        options.onCut?.();
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}
