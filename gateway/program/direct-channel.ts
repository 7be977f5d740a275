import { lookup } from "node:dns/promises";
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from "node:http2";
import { connect as connectSocket } from "node:net";
import { callDirectly, type DirectAnswer } from "./direct-call.ts";

/**
 * HTTP/2 sessions of our own to a gRPC server, for unary calls: the layers of grpc-js make a call three times as dear.
 * It only ever serves while a session is up; the rest, and every way of failing to connect, is left to grpc-js.
 */
export interface DirectChannel extends Disposable {
  /**
   * Makes a call where a session is up; those to several addresses of one name take turns.
   *
   * @returns undefined, now or later, where the call has not been taken by the server.
   */
  call(
    path: string,
    metadata: OutgoingHttpHeaders,
    message: Uint8Array,
    signal: AbortSignal,
  ): Promise<DirectAnswer | undefined> | undefined;
}

interface Connection {
  readonly session: ClientHttp2Session;
  calls: number;
}

const keepaliveMs = 30_000;
const keepaliveTimeoutMs = 10_000;
const minRetryMs = 1000;
const maxRetryMs = 30_000;

/** Opens one to `host:port` or `dns:host:port`; undefined for the other names that grpc-js knows. */
export function openDirectChannel(target: string): DirectChannel | undefined {
  const parsed = /^(?:dns:(?:\/\/\/)?)?([^:/[\]]+|\[[^\]]+\]):(\d+)$/.exec(target);
  if (parsed === null) return undefined;
  const [, host = "", port = ""] = parsed;
  const authority = `${host}:${port}`;
  const sessions = new Map<string, ClientHttp2Session>();
  const up: Connection[] = [];
  let turn = 0;
  let retryMs = minRetryMs;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  const open = async (): Promise<void> => {
    timer = undefined;
    const found = await lookup(host.replace(/^\[|\]$/g, ""), { all: true }).catch(() => []);
    if (isClosed) return;
    for (const { address } of found) if (!sessions.has(address)) openSession(address);
    if (found.length === 0) retry();
  };
  const retry = (): void => {
    if (isClosed || timer !== undefined) return;
    timer = setTimeout(() => void open(), retryMs).unref();
    retryMs = Math.min(retryMs * 2, maxRetryMs);
  };
  const openSession = (address: string): void => {
    const session = connect(`http://${authority}`, {
      createConnection: () => connectSocket({ host: address, port: Number(port) }),
      settings: { enablePush: false },
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
    });
    const connection: Connection = { session, calls: 0 };
    sessions.set(address, session);
    const stopKeepalive = keepAlive(connection);
    const leave = (): void => {
      const at = up.indexOf(connection);
      if (at >= 0) up.splice(at, 1);
      if (sessions.get(address) === session) sessions.delete(address);
      retry();
    };
    session.on("connect", () => {
      retryMs = minRetryMs;
      up.push(connection);
    });
    session.on("goaway", leave);
    session.on("error", () => undefined);
    session.on("close", () => {
      stopKeepalive();
      leave();
    });
  };
  void open();

  return {
    call(path, metadata, message, signal) {
      const connection = up[turn++ % up.length];
      if (connection === undefined || connection.session.closed) return undefined;
      const headers: OutgoingHttpHeaders = {
        ":method": "POST",
        ":scheme": "http",
        ":authority": authority,
        ":path": path,
        ...metadata,
        te: "trailers",
        "content-type": "application/grpc",
        "user-agent": "grpc-node-gateway/1",
      };
      connection.calls += 1;
      const end = (): void => {
        connection.calls -= 1;
      };
      const call = callDirectly(connection.session, headers, message, signal);
      call.then(end, end);
      return call;
    },
    [Symbol.dispose]() {
      isClosed = true;
      clearTimeout(timer);
      for (const session of sessions.values()) session.destroy();
    },
  };
}

/** Cuts a connection whose other end no longer answers. As gRPC servers want it, none is asked while no call runs. */
function keepAlive(connection: Connection): () => void {
  const { session } = connection;
  const interval = setInterval(() => {
    if (connection.calls === 0) return;
    const timeout = setTimeout(() => session.destroy(), keepaliveTimeoutMs).unref();
    session.ping(() => clearTimeout(timeout));
  }, keepaliveMs).unref();
  return () => clearInterval(interval);
}
