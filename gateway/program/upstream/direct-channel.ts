import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { connect as connectSocket } from "node:net";
import { status } from "@grpc/grpc-js";
import { callDirectly, type DirectResponse, outOfStreams } from "./direct-call.ts";
import { failure } from "./direct-failure.ts";
import type { UpstreamTls } from "./upstream-tls.ts";

/**
 * A direct HTTP/2 session to a gRPC server, for calls whose messages are forwarded as bytes and for unary calls: the
 * layers of grpc-js triple the cost of a call. It serves only while the session is open; other calls, and all connection
 * failures, are left to grpc-js. Disposing lets calls in flight finish.
 */
export interface DirectChannel extends Disposable {
  /**
   * Opens the stream of a call if the session is open, with `headers` in addition to those that every call has. The
   * caller sends the request and handles the stream's errors.
   *
   * @returns undefined if the session is not open, or if HTTP/2 rejects a header.
   */
  open(path: string, headers: OutgoingHttpHeaders): ClientHttp2Stream | undefined;
  /**
   * Makes a call if the session is open. `onHeader` is called with the headers before the message.
   *
   * @returns undefined, synchronously or later, if the server has not processed the call.
   */
  call(
    path: string,
    metadata: OutgoingHttpHeaders,
    message: Uint8Array,
    signal: AbortSignal,
    onHeader: (header: IncomingHttpHeaders) => void,
  ): Promise<DirectResponse | undefined> | undefined;
}

interface Connection {
  readonly session: ClientHttp2Session;
  isUp: boolean;
  calls: number;
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

export interface DirectChannelOptions {
  /** The `:authority` of calls, if it differs from the address. */
  readonly authority?: string | undefined;
  /** Enables TLS. The certificate must be for the host of the authority. */
  readonly tls?: UpstreamTls | undefined;
  /**
   * Interval of pings on a connection with calls, in milliseconds; 0 disables them (default {@link
   * defaultKeepaliveMs}).
   */
  readonly keepaliveMs?: number | undefined;
}

/** Opens a channel to an address, `ip:port` or (without TLS) `unix:path`. If a server rejects the pings as too many, the rate is halved. */
export function openDirectChannel(address: string, options: DirectChannelOptions = {}): DirectChannel {
  const { tls } = options;
  const isUnix = address.startsWith("unix:");
  const authority = options.authority ?? (isUnix ? "localhost" : address);
  const scheme = tls === undefined ? "http" : "https";
  const settings: ClientSessionOptions | SecureClientSessionOptions = {
    settings: { enablePush: false },
    maxSessionMemory: Number.MAX_SAFE_INTEGER,
    ...(isUnix && { createConnection: () => connectSocket(address.replace(/^unix:(\/\/[^/]*)?/, "")) }),
    ...tls,
    ...(tls !== undefined && options.authority !== undefined && { servername: hostOf(options.authority) }),
  };
  let keepaliveMs = options.keepaliveMs ?? defaultKeepaliveMs;
  let current: Connection | undefined;
  let retryMs = minRetryMs;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const open = (): void => {
    const session = connect(`${scheme}://${isUnix ? authority : address}`, settings);
    const connection: Connection = { session, isUp: false, calls: 0 };
    current = connection;
    const stopKeepalive = keepAlive(connection, keepaliveMs);
    const leave = (): void => {
      if (current !== connection) return;
      current = undefined;
      if (isClosed) return;
      timer = setTimeout(open, retryMs).unref();
      retryMs = Math.min(retryMs * 2, maxRetryMs);
    };
    session.on("connect", () => {
      retryMs = minRetryMs;
      connection.isUp = true;
    });
    session.on("goaway", (code) => {
      if (code === constants.NGHTTP2_ENHANCE_YOUR_CALM) keepaliveMs = Math.min(keepaliveMs * 2, maxKeepaliveMs);
      leave();
    });
    session.on("error", () => undefined);
    session.on("close", () => {
      stopKeepalive();
      leave();
    });
  };
  open();

  const openStream = (path: string, given: OutgoingHttpHeaders): ClientHttp2Stream | undefined => {
    const connection = current;
    if (connection?.isUp !== true || connection.session.closed) return undefined;
    const headers: OutgoingHttpHeaders = {
      ":method": "POST",
      ":scheme": scheme,
      ":authority": authority,
      ":path": path,
      ...given,
      te: "trailers",
    };
    let stream: ClientHttp2Stream;
    try {
      stream = connection.session.request(headers);
    } catch {
      // The session accepts no more calls, or HTTP/2 rejects a header: grpc-js will report which.
      return undefined;
    }
    connection.calls += 1;
    stream.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code === outOfStreams) connection.session.close();
    });
    stream.once("close", () => {
      connection.calls -= 1;
    });
    return stream;
  };

  return {
    open: openStream,
    call(path, metadata, message, signal, onHeader) {
      if (signal.aborted) return Promise.reject(failure(status.CANCELLED, "Cancelled on client"));
      const stream = openStream(path, {
        ...metadata,
        "content-type": "application/grpc",
        "user-agent": "grpc-node-gateway/1",
      });
      return stream && callDirectly(stream, message, signal, onHeader);
    },
    [Symbol.dispose]() {
      isClosed = true;
      clearTimeout(timer);
      if (current?.isUp === true) current.session.close();
      else current?.session.destroy();
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

/** The host of an authority, without its port. */
function hostOf(authority: string): string {
  return authority.replace(/:\d+$/, "");
}
