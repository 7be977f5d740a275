import { type ClientHttp2Session, constants } from "node:http2";

/** The HTTP/2 sessions to one server. Disposing lets calls in flight finish. */
export interface DirectConnections extends Disposable {
  /**
   * A session that is open and accepts another call. If all are in use up to the server's limit of concurrent calls,
   * opens a further one and returns undefined until it is ready.
   */
  next(): ClientHttp2Session | undefined;
  /** Counts a call on the session. @returns a function to be called once when the call ends. */
  enter(session: ClientHttp2Session): () => void;
}

interface Connection {
  readonly session: ClientHttp2Session;
  isUp: boolean;
  calls: number;
  /** The server's limit of concurrent calls. */
  maxCalls: number;
}

/** How long a server may take to acknowledge a keepalive ping before its connection is closed, in milliseconds. */
export const keepaliveTimeoutMs = 10_000;
/**
 * Interval of pings on a connection with calls, in milliseconds. By default grpc-go, grpcio and Java servers allow one
 * ping in five minutes, and close the connections of clients that send more.
 */
export const defaultKeepaliveMs = 310_000;

/** The longest delay of a timer. */
const maxKeepaliveMs = 2 ** 31 - 1;
const minRetryMs = 200;
const maxRetryMs = 5000;
/** Until a server has sent its limit: RFC 9113 recommends that it is no smaller. */
const assumedMaxCalls = 100;
/** How long a further connection is kept without calls, in milliseconds. */
const idleMs = 60_000;

/** Keeps at least one session open. If a server rejects the pings as too many, the rate is halved. */
export function openConnections(
  connect: () => ClientHttp2Session,
  initialKeepaliveMs = defaultKeepaliveMs,
): DirectConnections {
  let keepaliveMs = initialKeepaliveMs;
  /** Those that accept calls, or will. */
  const connections = new Map<ClientHttp2Session, Connection>();
  let retryMs = minRetryMs;
  let timer: NodeJS.Timeout | undefined;
  /** After a failure to connect, no further connection is opened before this time. */
  let notBefore = 0;
  let isClosed = false;

  const open = (): void => {
    const session = connect();
    const connection: Connection = { session, isUp: false, calls: 0, maxCalls: assumedMaxCalls };
    connections.set(session, connection);
    const stopKeepalive = keepAlive(connection, keepaliveMs);
    const leave = (): void => {
      if (!connections.delete(session) || isClosed || connections.size > 0) return;
      timer = setTimeout(open, retryMs).unref();
      retryMs = Math.min(retryMs * 2, maxRetryMs);
    };
    session.on("connect", () => {
      retryMs = minRetryMs;
      connection.isUp = true;
    });
    session.on("remoteSettings", ({ maxConcurrentStreams = assumedMaxCalls }) => {
      connection.maxCalls = maxConcurrentStreams;
    });
    session.on("goaway", (code) => {
      if (code === constants.NGHTTP2_ENHANCE_YOUR_CALM) keepaliveMs = Math.min(keepaliveMs * 2, maxKeepaliveMs);
      leave();
    });
    session.on("error", () => undefined);
    session.on("close", () => {
      stopKeepalive();
      if (!connection.isUp) notBefore = performance.now() + minRetryMs;
      leave();
    });
  };
  open();

  const closeIfIdle = ({ session, calls }: Connection): void => {
    if (calls === 0 && connections.size > 1 && connections.delete(session)) session.close();
  };

  return {
    next() {
      let isOpening = false;
      for (const { session, isUp, calls, maxCalls } of connections.values()) {
        if (isUp && !session.closed && calls < maxCalls) return session;
        isOpening ||= !isUp;
      }
      // Without any, a timer opens the next one.
      if (!isOpening && !isClosed && connections.size > 0 && performance.now() >= notBefore) open();
      return undefined;
    },
    enter(session) {
      const connection = connections.get(session);
      if (connection === undefined) return () => undefined;
      connection.calls += 1;
      return () => {
        connection.calls -= 1;
        if (connection.calls === 0 && connections.size > 1) setTimeout(closeIfIdle, idleMs, connection).unref();
      };
    },
    [Symbol.dispose]() {
      isClosed = true;
      clearTimeout(timer);
      for (const { session, isUp } of connections.values()) {
        if (isUp) session.close();
        else session.destroy();
      }
    },
  };
}

/**
 * Closes a connection whose peer no longer acknowledges pings. As gRPC servers require, no pings are sent while no call
 * is in flight.
 */
function keepAlive(connection: Connection, keepaliveMs: number): () => void {
  const { session } = connection;
  if (keepaliveMs === 0) return () => undefined;
  const interval = setInterval(() => {
    if (connection.calls === 0) return;
    const timeout = setTimeout(() => session.destroy(), keepaliveTimeoutMs).unref();
    session.ping(() => clearTimeout(timeout));
  }, keepaliveMs).unref();
  return () => clearInterval(interval);
}
