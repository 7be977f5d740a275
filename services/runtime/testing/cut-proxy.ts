import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy that can lose what a server answers, to see what a client makes of it. */
export interface CutProxy extends AsyncDisposable {
  readonly port: number;
  /**
   * From the next bytes on in which a client sends `text`: the server gets them, and the client gets its connection closed
   * instead of the answer. Happens once for each call.
   */
  cutAnswerTo(text: string): void;
  /** Closes all connections; new ones are taken. */
  cutAll(): void;
}

/** Starts a proxy on a free port of the loopback to a port of the loopback. */
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
