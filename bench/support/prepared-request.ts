import { connect, type Socket } from "node:net";

/**
 * Sends one and the same HTTP/1.1 request again and again and resolves with each answer's head and body as text; rejects
 * for a status that is not 2xx. It costs a fraction of what node:http's client does, so that the server is kept busy.
 */
export type PreparedRequest = (() => Promise<string>) & Disposable;

interface Connection {
  readonly socket: Socket;
  received: string;
  restsSince: number;
  settle: { resolve(answer: string): void; reject(error: Error): void } | undefined;
}

const maxRestMs = 2000;

/** Prepares a request to a loopback port. Connections are reused, one request at a time on each. */
export function prepareRequest(
  port: number,
  method: "GET" | "POST",
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body: string | Uint8Array = "",
): PreparedRequest {
  const payload = Buffer.from(body);
  const all = { host: `127.0.0.1:${port}`, ...headers, ...(method === "POST" && { "content-length": payload.length }) };
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${head.join("")}\r\n`), payload]);
  const idle: Connection[] = [];
  const every = new Set<Socket>();

  const open = (): Connection => {
    const socket = connect(port, "127.0.0.1").setNoDelay().setEncoding("latin1");
    const connection: Connection = { socket, received: "", restsSince: 0, settle: undefined };
    every.add(socket);
    const fail = (error: Error): void => {
      every.delete(socket);
      const at = idle.indexOf(connection);
      if (at >= 0) idle.splice(at, 1);
      connection.settle?.reject(error);
    };
    socket.on("error", fail);
    socket.on("close", () => fail(new Error(`${method} ${path}: the server closed the connection`)));
    socket.on("data", (chunk) => {
      connection.received += chunk;
      if (!isWhole(connection.received)) return;
      const { received: answer, settle } = connection;
      connection.received = "";
      connection.settle = undefined;
      connection.restsSince = performance.now();
      idle.push(connection);
      if (answer.startsWith("HTTP/1.1 2")) settle?.resolve(answer);
      else settle?.reject(new Error(`${method} ${path}: ${answer}`));
    });
    return connection;
  };

  /** The server may close an idle connection just as the next request is sent. */
  const takeIdle = (): Connection | undefined => {
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
      if (performance.now() - connection.restsSince < maxRestMs) return connection;
      connection.socket.destroy();
    }
    return undefined;
  };

  const send = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const connection = takeIdle() ?? open();
      connection.settle = { resolve, reject };
      connection.socket.write(bytes);
    });
  return Object.assign(send, {
    [Symbol.dispose]() {
      for (const socket of every) socket.destroy();
    },
  });
}

/** Whether a response is complete: by its Content-Length, or with the last of its chunks. */
function isWhole(answer: string): boolean {
  const end = answer.indexOf("\r\n\r\n");
  if (end === -1) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer.slice(0, end + 2))?.[1];
  return length === undefined ? answer.endsWith("\r\n0\r\n\r\n") : answer.length - end - 4 >= Number(length);
}
