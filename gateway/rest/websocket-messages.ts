import { isUtf8 } from "node:buffer";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { clientDisconnected } from "../http/body/request.ts";
import type { RequestMeter } from "../http/limits/request-meter.ts";

/** Sends a message. Rejects with CANCELLED if it cannot be written, or if the client reads nothing for `stallMs`. */
export function send(socket: WebSocket, text: string, stallMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.terminate(), stallMs);
    socket.send(text, (error) => {
      clearTimeout(timer);
      if (error) reject(clientDisconnected());
      else resolve();
    });
  });
}

/**
 * Counts the bytes of unfinished messages, which the library buffers; closes the socket if all together use too much
 * memory.
 */
export function countUnfinished(socket: WebSocket, connection: Socket, meter: RequestMeter): void {
  const received = meter.begin(connection, () => socket.close(1013, "too many large messages; try again"), false);
  // Control frames may arrive between the fragments of a message, and are not buffered.
  let control = 0;
  const passControl = (data: Buffer): void => {
    control += data.length + 6;
  };
  connection.on("data", (chunk: Buffer) => {
    const bytes = chunk.length - control;
    control = Math.max(0, -bytes);
    if (bytes > 0) received.add(bytes);
  });
  socket.on("ping", passControl);
  socket.on("pong", passControl);
  socket.on("message", () => received.next());
  socket.once("close", () => received.end());
}

/** How many bytes may wait for the implementation before the socket is paused. */
const maxWaitingBytes = 64 * 1024;

/**
 * The text messages as they arrive; the socket is paused while nothing consumes them. Ends at an empty message. Listens
 * immediately, because interceptors may delay the first read.
 *
 * @throws ConnectError CANCELLED if the socket closes before that.
 */
export function receive(socket: WebSocket): AsyncIterable<string> {
  const queue: string[] = [];
  let waitingBytes = 0;
  let wake: (() => void) | undefined;
  let end: "open" | "finished" | "left" = "open";
  const finish = (how: "finished" | "left"): void => {
    if (end === "open") end = how;
    wake?.();
  };
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    if (isBinary && !isUtf8(data)) {
      socket.close(1007, "not UTF-8");
      finish("left");
      return;
    }
    if (data.length === 0) finish("finished");
    else if (end === "open") queue.push(data.toString("utf8"));
    waitingBytes += data.length;
    if (waitingBytes >= maxWaitingBytes) socket.pause();
    wake?.();
  });
  socket.on("error", () => finish("left"));
  socket.on("close", () => finish("left"));
  return take();

  async function* take(): AsyncGenerator<string> {
    for (;;) {
      const text = queue.shift();
      if (text !== undefined) {
        if (queue.length === 0) {
          waitingBytes = 0;
          socket.resume();
        }
        yield text;
        continue;
      }
      if (end === "finished") return;
      if (end === "left") throw clientDisconnected();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
