import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type Certificate, handshakeTimeoutMs, tlsOptions } from "./certificate.ts";
import type { Networks } from "./client-address.ts";
import { type ConnectionCaps, trackConnections } from "./connections.ts";
import { continueWhenRead } from "./continue.ts";
import { acceptHttp2 } from "./either-version.ts";
import { isResponding, lingeringResponse } from "./linger.ts";
import { countOpenRequests } from "./open-requests.ts";
import { defaultServerLimits, type ServerLimits } from "./server-limits.ts";
import { closeStalled, closeStalledStream } from "./stalled.ts";

/** A request listener for node:http, node:https and node:http2. */
export interface HttpHandler {
  (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void;
  /** For `server.on("upgrade", handler.upgrade)`: streams over WebSockets. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /**
   * For `createServer({ shouldUpgradeCallback: handler.shouldUpgrade })`: requests that offer another protocol, as Java's
   * client does with `h2c`, are served as if they did not.
   */
  readonly shouldUpgrade: (request: IncomingMessage) => boolean;
}

export interface HttpListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** With one the port speaks TLS: HTTP/2 and HTTP/1.1, whichever the client chooses. */
  readonly certificate?: Certificate | undefined;
  /** Without a certificate: serve HTTP/2 with prior knowledge (h2c) beside HTTP/1.1, as gRPC clients speak it. */
  readonly http2WithoutTls?: boolean;
  /** Default {@link defaultServerLimits}. */
  readonly limits?: ServerLimits;
  /** Proxies, to which the limit of connections per address does not apply. */
  readonly trustedProxies?: Networks | undefined;
  /** Called when connections were refused, at most every ten seconds. */
  readonly onRefused?: ConnectionCaps["onRefused"];
}

/** An HTTP port. It may listen before there is anything to serve. */
export interface HttpListener {
  readonly url: string;
  readonly port: number;
  /** Hands requests to this handler from now on; before, the response is 503. */
  serve(handler: HttpHandler): void;
  /** New connections get the new certificate. */
  renew(certificate: Certificate): void;
  /** Closes connections after their next response. */
  startDraining(): void;
  /** Aborted when requests in flight have used up half of their grace period. */
  readonly overdue: AbortSignal;
  /** Accepts no more connections; requests in flight finish; after `graceMs` the rest is cut. Repeatable. */
  close(graceMs: number): Promise<void>;
}

/** Longer than load balancers keep idle connections, which would otherwise send requests into closing ones. */
const keepAliveMs = 75_000;

const timeouts = {
  // The head of a request must be complete by then, which ends a slowloris.
  headersTimeout: 20_000,
  connectionsCheckingInterval: 5000,
  handshakeTimeout: handshakeTimeoutMs,
  // A request may be a stream that goes on for hours. Bodies of unary calls have limits of their own.
  requestTimeout: 0,
  keepAliveTimeout: keepAliveMs,
};

/** Listens. @throws where the port is taken or not permitted. */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const { certificate, limits = defaultServerLimits, trustedProxies, onRefused } = options;
  const { idleMs } = limits;
  const openRequests = countOpenRequests(limits, trustedProxies);
  /** Counts a request of HTTP/2, or refuses it as one that has not been looked at. */
  const enter = (stream: ServerHttp2Stream): boolean => {
    const address = stream.session?.socket.remoteAddress ?? "";
    if (openRequests.enter(address)) stream.once("close", () => openRequests.leave(address));
    else stream.close(constants.NGHTTP2_REFUSED_STREAM);
    return !stream.closed;
  };
  let handler = starting;
  let isDraining = false;
  const front: HttpHandler = Object.assign(
    (...[request, response]: Parameters<HttpHandler>) => {
      if ("stream" in response) {
        if (!enter(response.stream)) return;
        closeStalledStream(response.stream, limits.stallMs);
      } else if (isDraining) response.setHeader("connection", "close");
      handler(request, response);
    },
    {
      upgrade: (...args: Parameters<HttpHandler["upgrade"]>) => handler.upgrade(...args),
      shouldUpgrade: (request: IncomingMessage) => handler.shouldUpgrade(request),
    },
  );
  const common = { ...timeouts, noDelay: true, keepAlive: true, shouldUpgradeCallback: front.shouldUpgrade };
  const LingeringResponse = lingeringResponse(limits);
  const http1 = { ...common, ServerResponse: LingeringResponse };
  const http2Settings = { maxConcurrentStreams: limits.streamsPerConnection };
  const secure =
    certificate &&
    createSecureServer({
      ...common,
      ...tlsOptions(certificate),
      allowHTTP1: true,
      Http1ServerResponse: LingeringResponse,
      settings: http2Settings,
    });
  const plain = certificate === undefined ? createServer(http1) : undefined;
  const server = secure ?? plain ?? createServer(http1);
  const either = plain && options.http2WithoutTls === true ? acceptHttp2(plain, http2Settings) : undefined;
  for (const each of either === undefined ? [server] : [server, either.http2]) {
    each.on("request", front as RequestListener);
    each.on("checkContinue", (...[request, response]: Parameters<HttpHandler>) => {
      continueWhenRead(request, response);
      front(request, response);
    });
  }
  server.on("upgrade", front.upgrade);
  closeStalled(server, isResponding, limits);
  if (either !== undefined) closeIdle(either.http2, idleMs);
  if (secure !== undefined) closeIdle(secure, idleMs);
  // Sockets of WebSockets are among them, which the HTTP server no longer counts as its own.
  const connections = trackConnections(server, { limits, trustedProxies, onRefused });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const { address, port } = server.address() as AddressInfo;

  const overdue = new AbortController();
  const close = async (graceMs: number): Promise<void> => {
    isDraining = true;
    const closed = new Promise<unknown>((resolve) => server.close(resolve));
    plain?.closeIdleConnections();
    either?.closeSessions();
    const hurry = setTimeout(() => overdue.abort(new Error("the server is shutting down")), graceMs / 2);
    const cut = setTimeout(() => connections.destroyAll(), graceMs);
    await closed;
    clearTimeout(hurry);
    clearTimeout(cut);
  };
  let closing: Promise<void> | undefined;
  return {
    url: `${secure === undefined ? "http" : "https"}://${address.includes(":") ? `[${address}]` : address}:${port}`,
    port,
    serve(next) {
      handler = next;
    },
    renew: (renewed) => secure?.setSecureContext(tlsOptions(renewed)),
    startDraining() {
      isDraining = true;
    },
    overdue: overdue.signal,
    close(graceMs) {
      closing ??= close(graceMs);
      return closing;
    },
  };
}

/** Closes connections of HTTP/2 on which nothing moves. */
function closeIdle(server: Http2SecureServer | Http2Server, idleMs: number): void {
  server.on("session", (session: ServerHttp2Session) => closeIdleSession(session, idleMs));
}

/** Closes an HTTP/2 session without requests as a keep-alive connection of HTTP/1, one with requests after `idleMs`. */
function closeIdleSession(session: ServerHttp2Session, idleMs: number): void {
  let open = 0;
  const arm = (): void => {
    session.setTimeout(open === 0 ? Math.min(keepAliveMs, idleMs) : idleMs);
  };
  session.on("stream", (stream) => {
    open += 1;
    if (open === 1) arm();
    stream.once("close", () => {
      open -= 1;
      if (open === 0) arm();
    });
  });
  session.on("timeout", () => (open === 0 ? session.close() : session.destroy()));
  arm();
}

const startingBody = JSON.stringify({
  code: 14,
  message: "the server is starting; try again",
  details: [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "STARTING", domain: "gateway" }],
});

/** Serves until there is a handler. */
const starting: HttpHandler = Object.assign(
  (...[, response]: Parameters<HttpHandler>) => {
    (response as ServerResponse).writeHead(503, { "retry-after": "1", "content-type": "application/json" });
    response.end(startingBody);
  },
  { upgrade: (_request: IncomingMessage, socket: Duplex) => void socket.destroy(), shouldUpgrade: () => false },
);
