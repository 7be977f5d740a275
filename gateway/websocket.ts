import { type IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Message } from "@bufbuild/protobuf";
import { Code, type ConnectError, type Interceptor } from "@connectrpc/connect";
import { transformInvokeImplementation } from "@connectrpc/connect/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { type ErrorOptions, writeError } from "./answer.ts";
import { createBinding } from "./binding.ts";
import { type Call, plainContext } from "./call.ts";
import { errorBody } from "./error-body.ts";
import { codeName, gatewayError, toConnectError } from "./errors.ts";
import type { JsonCodec } from "./json-codec.ts";
import type { PreparedRoute } from "./rest-call.ts";

/** What serving WebSockets needs of the REST handler. */
export interface WebSocketOptions {
  readonly codec: JsonCodec;
  readonly errors: ErrorOptions;
  readonly interceptors: readonly Interceptor[];
  readonly lenient: boolean;
  readonly maxMessageBytes: number;
  readonly heartbeatMs: number;
  /** True for an `Origin` whose pages may connect. */
  readonly allowsOrigin: (origin: string, host: string | undefined) => boolean;
  readonly match: (request: IncomingMessage) => { route: PreparedRoute; segments: readonly string[]; rawQuery: string };
  readonly open: (request: IncomingMessage, response: ServerResponse, route: PreparedRoute) => Call;
  readonly onError: (error: unknown, request: IncomingMessage) => void;
}

/** Takes the `upgrade` event of a node:http server. */
export type UpgradeHandler = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * Serves streaming methods over WebSockets, at the path of their GET rule: every text message of the client is a request
 * message as JSON, an empty one ends the requests; every answer is a text message. An error is a last message
 * `{"error": Status}`, then the socket is closed with 1008 or, where it is the server's fault, 1011.
 */
export function createUpgradeHandler(options: WebSocketOptions): UpgradeHandler {
  const server = new WebSocketServer({ noServer: true, maxPayload: options.maxMessageBytes, clientTracking: false });

  return (request, socket, head) => {
    const response = new ServerResponse(request);
    response.assignSocket(socket as never);
    const refuse = (thrown: unknown): void => {
      response.shouldKeepAlive = false;
      response.once("finish", () => socket.end());
      writeError(request, response, toConnectError(thrown), options.errors);
    };
    try {
      const { origin, host } = request.headers;
      if (origin !== undefined && !options.allowsOrigin(origin, host)) {
        throw gatewayError({
          code: Code.PermissionDenied,
          reason: "ORIGIN_NOT_ALLOWED",
          message: "pages of this origin may not connect",
        });
      }
      const { route, segments, rawQuery } = options.match(request);
      if (route.spec.kind === "unary") {
        throw gatewayError({
          code: Code.InvalidArgument,
          reason: "NOT_A_STREAM",
          message: "this method is no stream",
          httpStatus: 400,
        });
      }
      const call = options.open(request, response, route);
      response.detachSocket(socket as never);
      server.handleUpgrade(request, socket, head, (webSocket) => {
        void serve(webSocket, request, route, segments, rawQuery, call);
      });
    } catch (thrown) {
      refuse(thrown);
    }
  };

  async function serve(
    socket: WebSocket,
    request: IncomingMessage,
    route: PreparedRoute,
    segments: readonly string[],
    rawQuery: string,
    call: Call,
  ): Promise<void> {
    const binding = createBinding({ ...route, body: "all", httpMethod: "POST" }, options.codec, {
      lenient: options.lenient,
    });
    const heartbeat = setInterval(() => socket.ping(), options.heartbeatMs);
    socket.once("close", () => {
      clearInterval(heartbeat);
      call.abort(
        gatewayError({ code: Code.Canceled, reason: "CANCELLED", message: "the client closed the connection" }),
      );
    });
    const requests = async function* (): AsyncGenerator<Message> {
      for await (const text of receive(socket)) {
        yield binding.bind({ segments, rawQuery, body: { kind: "json", text } });
      }
    };
    try {
      const invoke = transformInvokeImplementation(route.spec, plainContext(call), [...options.interceptors]);
      for await (const message of invoke(requests()))
        await send(socket, options.codec.write(route.method.output, message));
      socket.close(1000);
    } catch (thrown) {
      const error = toConnectError(thrown, call.signal);
      if (isOurs(error)) options.onError(thrown, request);
      const { json } = errorBody(error, { ...options.errors, format: "status" });
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ error: json }));
      socket.close(isOurs(error) ? 1011 : 1008, codeName(error.code));
    } finally {
      call.abort();
    }
  }
}

function isOurs(error: ConnectError): boolean {
  return error.code === Code.Internal || error.code === Code.Unknown || error.code === Code.DataLoss;
}

function send(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(text, (error) => (error ? reject(error) : resolve()));
  });
}

/** The text messages as they come, the socket paused while nobody takes them. Ends at an empty one and at the close. */
async function* receive(socket: WebSocket): AsyncGenerator<string> {
  const queue: string[] = [];
  let wake: (() => void) | undefined;
  let ended = false;
  const end = (): void => {
    ended = true;
    wake?.();
  };
  socket.on("message", (data: Buffer) => {
    const text = data.toString("utf8");
    if (text === "") end();
    else if (!ended) queue.push(text);
    if (queue.length >= 16) socket.pause();
    wake?.();
  });
  socket.on("close", end);
  for (;;) {
    const text = queue.shift();
    if (text !== undefined) {
      if (queue.length === 0 && socket.isPaused) socket.resume();
      yield text;
      continue;
    }
    if (ended) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}
