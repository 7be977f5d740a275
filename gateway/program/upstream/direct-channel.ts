import {
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import { connect as connectSocket } from "node:net";
import { status } from "@grpc/grpc-js";
import { callDirectly, type DirectResponse, outOfStreams } from "./direct-call.ts";
import { openConnections } from "./direct-connections.ts";
import { failure } from "./direct-failure.ts";
import type { UpstreamTls } from "./upstream-tls.ts";

/**
 * Direct HTTP/2 sessions to a gRPC server, for calls whose messages are forwarded as bytes and for unary calls: the
 * layers of grpc-js triple the cost of a call. It serves only while a session is open; other calls, and all connection
 * failures, are left to grpc-js. Disposing lets calls in flight finish.
 */
export interface DirectChannel extends Disposable {
  /**
   * Opens the stream of a call if a session is open, with `headers` in addition to those that every call has. The
   * caller sends the request and handles the stream's errors.
   *
   * @returns undefined if no session is open, or if HTTP/2 rejects a header.
   */
  open(path: string, headers: OutgoingHttpHeaders): ClientHttp2Stream | undefined;
  /**
   * Makes a call if a session is open. `onHeader` is called with the headers before the message.
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

export interface DirectChannelOptions {
  /** The `:authority` of calls, if it differs from the address. */
  readonly authority?: string | undefined;
  /** Enables TLS. The certificate must be for the host of the authority. */
  readonly tls?: UpstreamTls | undefined;
  /**
   * Interval of pings on a connection with calls, in milliseconds; 0 disables them (default: five minutes and ten
   * seconds).
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
  const connections = openConnections(
    () => connect(`${scheme}://${isUnix ? authority : address}`, settings),
    options.keepaliveMs,
  );

  const openStream = (path: string, given: OutgoingHttpHeaders): ClientHttp2Stream | undefined => {
    const session = connections.next();
    if (session === undefined) return undefined;
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
      stream = session.request(headers);
    } catch {
      // The session accepts no more calls, or HTTP/2 rejects a header: grpc-js will report which.
      return undefined;
    }
    const leave = connections.enter(session);
    stream.on("error", ({ code }: NodeJS.ErrnoException) => {
      if (code === outOfStreams) session.close();
    });
    stream.once("close", leave);
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
    [Symbol.dispose]: () => connections[Symbol.dispose](),
  };
}

/** The host of an authority, without its port. */
function hostOf(authority: string): string {
  return authority.replace(/:\d+$/, "");
}
