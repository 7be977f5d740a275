import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A TCP proxy between a program and its server, which counts connections. */
export interface TcpProxy extends AsyncDisposable {
  readonly address: string;
  readonly port: number;
  /** Number of connections so far. */
  connections(): number;
  /** Closes all connections. */
  cut(): void;
}

/** Listens on a loopback address and forwards every connection to `target`, `host:port`. */
export async function startTcpProxy(target: string, { host = "127.0.0.1", port = 0 } = {}): Promise<TcpProxy> {
  const [targetHost = "", targetPort = ""] = target.split(":");
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const onward = connect(Number(targetPort), targetHost);
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  }).listen(port, host);
  await once(server, "listening");
  const bound = (server.address() as AddressInfo).port;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `${host}:${bound}`,
    port: bound,
    connections: () => connections,
    cut,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
