import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/** A listening port whose every connection is known, so that none survives its server. */
export interface Connections {
  /** Begins to accept; port 0 is any free one. Answers the port. */
  listen(address: { host: string; port: number }): Promise<number>;
  /** Accepts no more. Those that are open stay. */
  stopAccepting(): void;
  /** Resolves when none is open. */
  allClosed(): Promise<void>;
  /** Closes what is still open, without a farewell. */
  cut(): void;
}

export function createConnections(onConnection: (socket: Socket) => void): Connections {
  const open = new Set<Socket>();
  const server: Server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    onConnection(socket);
  });
  return {
    async listen({ host, port }) {
      server.listen(port, host);
      await once(server, "listening");
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : port;
    },
    stopAccepting() {
      server.close();
    },
    async allClosed() {
      await Promise.all([...open].map((socket) => once(socket, "close")));
    },
    cut() {
      for (const socket of open) {
        socket.destroy();
      }
    },
  };
}
