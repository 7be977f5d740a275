import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
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
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Networks } from "../client-address.ts";
import { defaultServerLimits, type ServerLimits } from "../limits/server-limits.ts";
import { type Certificate, handshakeTimeoutMs, tlsOptions } from "./certificate.ts";
import { type ConnectionCaps, trackConnections } from "./connections.ts";
import { continueWhenRead } from "./continue.ts";
import { acceptHttp2 } from "./either-version.ts";
import { isResponding, lingeringResponse } from "./linger.ts";
import { countOpenRequests } from "./open-requests.ts";
import { closeStalled, closeStalledStream } from "./stalled.ts";

/** A request listener for node:http, node:https and node:http2. */
export interface HttpHandler {
  (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void;
  /** For `server.on("upgrade", handler.upgrade)`: streams over WebSockets. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /**
   * For `createServer({ shouldUpgradeCallback: handler.shouldUpgrade })`: requests that offer to upgrade to another
   * protocol, such as `h2c` from Java's client, are served as if they did not.
   */
  readonly shouldUpgrade: (request: IncomingMessage) => boolean;
}

export interface HttpListenerOptions {
  readonly host: string;
  /** 0 selects a free port. */
  readonly port: number;
  /** Enables TLS: HTTP/2 and HTTP/1.1, negotiated by the client. */
  readonly certificate?: Certificate | undefined;
  /** Without a certificate: serves HTTP/2 with prior knowledge (h2c), which gRPC clients use, beside HTTP/1.1. */
  readonly http2WithoutTls?: boolean;
  /** Default {@link defaultServerLimits}. */
  readonly limits?: ServerLimits;
  /** Proxies, which are exempt from the limit of connections per address. */
  readonly trustedProxies?: Networks | undefined;
  /** Called after connections were refused, at most every ten seconds. */
  readonly onRefused?: ConnectionCaps["onRefused"];
}

/** An HTTP port. It may listen before a handler is set. */
export interface HttpListener {
  readonly url: string;
  readonly port: number;
  /** Sets the handler of subsequent requests; before the first call, the response is 503. */
  serve(handler: HttpHandler): void;
  /** Uses the new certificate for new connections. */
  renew(certificate: Certificate): void;
  /** Closes connections after their next response. */
  startDraining(): void;
  /** Aborted when half of the grace period for in-flight requests has elapsed. */
  readonly overdue: AbortSignal;
  /**
   * Stops accepting connections and waits for in-flight requests; after `graceMs` the remaining ones are destroyed.
   * Repeatable.
   */
  close(graceMs: number): Promise<void>;
}

/** Longer than load balancers keep idle connections; otherwise they would send requests into closing ones. */
const keepAliveMs = 75_000;

/** Interval at which a closing port looks for connections that have become idle. */
const sweepMs = 50;

const timeouts = {
  // Deadline for a complete request head, which defeats slowloris attacks.
  headersTimeout: 20_000,
  connectionsCheckingInterval: 5000,
  handshakeTimeout: handshakeTimeoutMs,
  // A request may be a stream that lasts for hours. Bodies of unary calls have their own limits.
  requestTimeout: 0,
  keepAliveTimeout: keepAliveMs,
};

/** Starts listening. @throws if the port is in use or not permitted. */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const { certificate, limits = defaultServerLimits, trustedProxies, onRefused } = options;
  const { idleMs } = limits;
  const openRequests = countOpenRequests(limits, trustedProxies);
  /** Counts an HTTP/2 request, or refuses it as unprocessed. */
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
  // Includes WebSocket sockets, which the HTTP server no longer tracks.
  const connections = trackConnections(server, { limits, trustedProxies, onRefused });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const { address, port } = server.address() as AddressInfo;

  // HTTP/2 servers that accept HTTP/1 have the method too, which their type does not show.
  const closeIdleConnections = (): void => (server as Server).closeIdleConnections();
  const overdue = new AbortController();
  const close = async (graceMs: number): Promise<void> => {
    isDraining = true;
    // A connection whose handshake ends from now on would not be asked to close. It is closed before it is read.
    server.removeAllListeners("secureConnection");
    server.on("secureConnection", (socket: Socket) => socket.destroy());
    const closed = new Promise<unknown>((resolve) => server.close(resolve));
    closeIdleConnections();
    either?.closeSessions();
    // A response that began before may end with its connection kept alive.
    const sweep = setInterval(closeIdleConnections, sweepMs);
    const hurry = setTimeout(() => overdue.abort(new Error("the server is shutting down")), graceMs / 2);
    const cut = setTimeout(() => connections.destroyAll(), graceMs);
    await closed;
    clearTimeout(hurry);
    clearTimeout(cut);
    clearInterval(sweep);
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

/** Closes idle HTTP/2 connections. */
function closeIdle(server: Http2SecureServer | Http2Server, idleMs: number): void {
  server.on("session", (session: ServerHttp2Session) => closeIdleSession(session, idleMs));
}

/**
 * Closes an HTTP/2 session without requests like an HTTP/1 keep-alive connection, and one with requests after `idleMs`.
 */
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

/** The handler until `serve` is called. */
const starting: HttpHandler = Object.assign(
  (...[, response]: Parameters<HttpHandler>) => {
    (response as ServerResponse).writeHead(503, { "retry-after": "1", "content-type": "application/json" });
    response.end(startingBody);
  },
  { upgrade: (_request: IncomingMessage, socket: Duplex) => void socket.destroy(), shouldUpgrade: () => false },
);
