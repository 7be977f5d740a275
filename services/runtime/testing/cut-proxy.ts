import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy that can drop a server's response, to test the client's reaction. */
export interface CutProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * Cuts the connection on the next request that contains `text`: the server receives it, but the client loses its
   * connection instead of receiving the response. Applies once per call.
   */
  cutAnswerTo(text: string): void;
  /** Closes all connections; new ones are accepted. */
  cutAll(): void;
}

/** Starts a proxy on a free loopback port to another loopback port. */
export async function startCutProxy(target: number): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  const cuts: string[] = [];
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };

  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    let cutting = false;
    track(client);
    track(upstream);
    client.on("data", (bytes) => {
      const [text] = cuts;
      if (text !== undefined && bytes.includes(text)) {
        cuts.shift();
        cutting = true;
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => {
      if (cutting) {
        client.destroy();
        upstream.destroy();
      } else {
        client.write(bytes);
      }
    });
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("the proxy has no port");
  }

  const cutAll = () => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  return {
    port: address.port,
    cutAnswerTo: (text) => cuts.push(text),
    cutAll,
    async [Symbol.asyncDispose]() {
      server.close();
      cutAll();
      await once(server, "close");
    },
  };
}
