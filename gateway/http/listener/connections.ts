import type { Server, Socket } from "node:net";
import { addressKey, type Networks } from "../client-address.ts";
import type { ServerLimits } from "../limits/server-limits.ts";

/** Limits on the number of connections that a port accepts. */
export interface ConnectionCaps {
  readonly limits: Pick<ServerLimits, "connections" | "connectionsPerAddress">;
  /** Proxies, whose connections carry many clients and are exempt from the limit per address. */
  readonly trustedProxies?: Networks | undefined;
  /** Called after connections were refused, at most every ten seconds. */
  readonly onRefused?: ((refused: RefusedConnections) => void) | undefined;
}

/** Connections refused since the last report. */
export interface RefusedConnections {
  readonly count: number;
  /** The address of the last one. */
  readonly address: string;
  readonly limit: "connections" | "connectionsPerAddress";
}

/** The open connections of a server, so that all can be closed. */
export interface Connections {
  readonly size: number;
  /** Resolves when no connection is open. */
  allClosed(): Promise<void>;
  /** Destroys all open connections. */
  destroyAll(): void;
}

const reportEveryMs = 10_000;

/**
 * Tracks a server's connections, and closes a new one immediately if a cap is reached. For TLS servers the caps apply
 * before the handshake. Install it before the server listens.
 */
export function trackConnections(server: Server, caps: ConnectionCaps): Connections {
  const { limits, trustedProxies } = caps;
  const open = new Set<Socket>();
  const perAddress = new Map<string, number>();
  const report = createReport(caps.onRefused);
  let whenEmpty: (() => void)[] = [];

  const release = (socket: Socket, key: string): void => {
    open.delete(socket);
    const left = (perAddress.get(key) ?? 1) - 1;
    if (left > 0) perAddress.set(key, left);
    else perAddress.delete(key);
    if (open.size > 0) return;
    for (const resolve of whenEmpty) resolve();
    whenEmpty = [];
  };

  server.prependListener("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const key = addressKey(address);
    const count = perAddress.get(key) ?? 0;
    const limit =
      open.size >= limits.connections
        ? "connections"
        : count >= limits.connectionsPerAddress && trustedProxies?.has(address) !== true
          ? "connectionsPerAddress"
          : undefined;
    if (limit !== undefined) {
      socket.destroy();
      report(address, limit);
      return;
    }
    open.add(socket);
    perAddress.set(key, count + 1);
    socket.once("close", () => release(socket, key));
  });

  return {
    get size() {
      return open.size;
    },
    async allClosed() {
      if (open.size > 0) await new Promise<void>((resolve) => whenEmpty.push(resolve));
    },
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
  };
}

/** Formats the report of refused connections as one log line. */
export function showRefused({ count, address, limit }: RefusedConnections): string {
  return `${count} connections were refused, the last of ${address}: the limit \`${limit}\` is reached`;
}

function createReport(
  onRefused: ConnectionCaps["onRefused"],
): (address: string, limit: RefusedConnections["limit"]) => void {
  let count = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;
  return (address, limit) => {
    count += 1;
    const now = performance.now();
    if (now - reportedAt < reportEveryMs) return;
    onRefused?.({ count, address, limit });
    reportedAt = now;
    count = 0;
  };
}
