import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { defaultServerLimits, type ServerLimits } from "../limits/server-limits.ts";

/** How long, and for how many bytes, a client may continue to send after it has its response. */
export type LingerLimits = Pick<ServerLimits, "lingerMs" | "lingerBytes">;

/**
 * The class of HTTP/1 responses for `createServer({ ServerResponse })` that closes connections whose client is still
 * sending when its request has its response, most often a rejection.
 *
 * Node would read such a body to its end, however slowly it arrives, or close immediately, upon which the client's
 * system may discard the response unread. This class sends `Connection: close`, ends the server's side with the
 * response, and discards further data for `lingerMs` and up to `lingerBytes` (RFC 9112, section 9.6).
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

    /** Node calls it after the response is sent and before it closes the connection. */
    override detachSocket(socket: Socket): void {
      super.detachSocket(socket);
      responding.delete(socket);
      if (isComing(this.req) && !socket.destroyed) linger(this.req, socket, limits);
    }
  };
}

const responding = new WeakSet<Socket>();

/** True while a connection has an unwritten {@link lingeringResponse}. */
export function isResponding(socket: Socket): boolean {
  return responding.has(socket);
}

/** True while the body of a request is incomplete. */
function isComing({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false;
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}

/** Ends the server's side of the connection, discards incoming data within the limits, then closes it. */
function linger(request: IncomingMessage, socket: Socket, { lingerMs, lingerBytes }: LingerLimits): void {
  const close = (): void => void socket.destroy();
  const timer = setTimeout(close, lingerMs);
  // Node drops the bytes of an unread request before its stream could count them.
  const allowed = socket.bytesRead + lingerBytes;
  const count = setInterval(() => {
    if (socket.bytesRead > allowed) close();
  }, countMs);
  socket.once("close", () => {
    clearTimeout(timer);
    clearInterval(count);
  });
  // Node calls this method to close a connection after its last response.
  socket.destroySoon = () => void socket.end();
  // A stream that was read by an iterator would not flow.
  request.removeAllListeners("readable");
  request.once("end", close);
  // The stream removes its listeners only on the next tick.
  setImmediate(() => request.resume());
}

/** Interval at which the bytes of a lingering connection are counted, in milliseconds. */
const countMs = 50;
