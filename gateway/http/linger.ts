import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { defaultServerLimits, type ServerLimits } from "./server-limits.ts";

/** How long, and for how many bytes, a client that has its response may go on sending. */
export type LingerLimits = Pick<ServerLimits, "lingerMs" | "lingerBytes">;

/**
 * The class of HTTP/1 responses for `createServer({ ServerResponse })` that closes connections whose client is still
 * sending when its request has its response, most often a refusal.
 *
 * Node would read such a body to its end, however slowly it comes, or close at once, upon which the client's system may
 * throw the response away unread. Here the response says `Connection: close`, the server's side ends with it, and what
 * still comes is discarded for `lingerMs` and up to `lingerBytes` (RFC 9112, section 9.6).
 */
export function lingeringResponse(limits: LingerLimits = defaultServerLimits): typeof ServerResponse<IncomingMessage> {
  return class LingeringResponse extends ServerResponse<IncomingMessage> {
    override assignSocket(socket: Socket): void {
      responding.add(socket);
      super.assignSocket(socket);
    }

    override writeHead(...args: unknown[]): this {
      if (isComing(this.req)) this.shouldKeepAlive = false;
      return super.writeHead(...(args as Parameters<ServerResponse["writeHead"]>));
    }

    /** Node calls it when the response is out, before it closes the connection. */
    override detachSocket(socket: Socket): void {
      super.detachSocket(socket);
      responding.delete(socket);
      if (isComing(this.req) && !socket.destroyed) linger(this.req, socket, limits);
    }
  };
}

const responding = new WeakSet<Socket>();

/** True while a connection has a {@link lingeringResponse} that has not been written. */
export function isResponding(socket: Socket): boolean {
  return responding.has(socket);
}

/** True while a request has a body that has not come whole. */
function isComing({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Ends the server's side of the connection, discards what comes within the limits, and closes it. */
function linger(request: IncomingMessage, socket: Socket, { lingerMs, lingerBytes }: LingerLimits): void {
  const close = (): void => void socket.destroy();
  const timer = setTimeout(close, lingerMs);
  // Node drops the bytes of a request that nothing reads before its stream could count them.
  const allowed = socket.bytesRead + lingerBytes;
  const count = setInterval(() => {
    if (socket.bytesRead > allowed) close();
  }, countMs);
  socket.once("close", () => {
    clearTimeout(timer);
    clearInterval(count);
  });
  // Node closes by this method when the last response of a connection is out.
  socket.destroySoon = () => void socket.end();
  // One that was read by an iterator would not flow.
  request.removeAllListeners("readable");
  request.once("end", close);
  // The stream forgets its listeners only on the next tick.
  setImmediate(() => request.resume());
}

/** How often the bytes of a lingering connection are counted, in milliseconds. */
const countMs = 50;
