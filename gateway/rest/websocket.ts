import { type IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Message } from "@bufbuild/protobuf";
import { Code, type ConnectError, type Interceptor } from "@connectrpc/connect";
import { type WebSocket, WebSocketServer } from "ws";
import { createBinding } from "../binding/request-binding.ts";
import type { Call } from "../call/call-context.ts";
import { codeName } from "../call/code-name.ts";
import { responsesOf } from "../call/invoke.ts";
import type { JsonCodec } from "../codec/json-codec.ts";
import { gatewayError, isServerFault, toConnectError } from "../errors.ts";
import { type FieldNames, jsonFieldNames, withFieldNames } from "../fields/field-names.ts";
import { clientDisconnected } from "../http/body/request.ts";
import type { RequestMeter } from "../http/limits/request-meter.ts";
import { defaultServerLimits } from "../http/limits/server-limits.ts";
import { internalError, sendFailure } from "../http/listener/last-resort.ts";
import type { HttpHandler } from "../http/listener/listener.ts";
import { faultOfHead } from "../http/request-head.ts";
import { errorBody } from "./error-body.ts";
import type { RestOptions } from "./options.ts";
import type { PreparedRoute } from "./prepared-route.ts";
import { type ErrorOptions, writeError } from "./response.ts";
import { countUnfinished, receive, send } from "./websocket-messages.ts";

/** What serving WebSockets needs from the REST handler. */
export interface WebSocketOptions {
  readonly codec: JsonCodec;
  readonly errors: ErrorOptions;
  readonly interceptors: readonly Interceptor[];
  readonly lenient: boolean;
  readonly maxMessageBytes: number;
  readonly heartbeatMs: number;
  /** Counts the received bytes of unfinished messages. */
  readonly meter: RequestMeter;
  /** A client that reads nothing for this long is disconnected. */
  readonly stallMs: number;
  /** True for an `Origin` whose pages may connect. */
  readonly allowsOrigin: (origin: string, host: string | undefined) => boolean;
  /** See `RestOptions`. */
  readonly admit: RestOptions["admit"];
  readonly match: (request: IncomingMessage) => { route: PreparedRoute; segments: readonly string[]; rawQuery: string };
  readonly open: (request: IncomingMessage, response: ServerResponse, route: PreparedRoute) => Call;
  readonly onError: (error: unknown, request: IncomingMessage) => void;
}

/** Handles the `upgrade` event of a node:http server. */
export type UpgradeHandler = HttpHandler["upgrade"];

/** True for a WebSocket request. Other upgrades (`h2c`) are offers that a server may ignore. */
export function isWebSocketUpgrade(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * Serves streaming methods over WebSockets, at the path of their GET or POST rule. Each text message of the client is a
 * request message as JSON, and an empty one ends the requests; each response message is a text message. An error is
 * sent as a last message `{"error": Status}`, after which the socket is closed with 1008, or with 1011 for a server
 * fault. Frames that violate the protocol close it with the code that RFC 6455 defines.
 */
export function createUpgradeHandler(options: WebSocketOptions): UpgradeHandler {
  const server = new WebSocketServer({ noServer: true, maxPayload: options.maxMessageBytes, clientTracking: false });
  server.on("wsClientError", (error, socket, request) => {
    refuse(request, socket, malformedHandshake(error.message));
  });

  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const response = new ServerResponse(request);
    try {
      if (!isWebSocketUpgrade(request)) {
        throw malformedHandshake("only upgrades to websocket are served; send the request without Upgrade");
      }
      const fault = faultOfHead(request);
      if (fault !== undefined) throw fault;
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
          message: "this method is not a stream",
          httpStatus: 400,
        });
      }
      const call = options.open(request, response, route);
      socket.once("close", () => call.abort(clientDisconnected()));
      await options.admit?.(call);
      server.handleUpgrade(request, socket, head, (webSocket) => {
        serve(webSocket, request, route, segments, rawQuery, call).catch((error: unknown) => {
          options.onError(error, request);
          webSocket.terminate();
        });
      });
    } catch (thrown) {
      refuse(request, socket, thrown);
    }
  };

  return (request, socket, head) => {
    // The HTTP server has removed its own listener.
    socket.on("error", () => socket.destroy());
    upgrade(request, socket, head).catch((error: unknown) => {
      options.onError(error, request);
      socket.destroy();
    });
  };

  function refuse(request: IncomingMessage, socket: Duplex, thrown: unknown): void {
    const response = new ServerResponse(request);
    response.assignSocket(socket as never);
    response.shouldKeepAlive = false;
    response.once("finish", () => {
      const timer = setTimeout(() => socket.destroy(), defaultServerLimits.lingerMs);
      socket.once("close", () => clearTimeout(timer));
      socket.end();
    });
    try {
      writeError(request, response, toConnectError(thrown), options.errors);
    } catch (unwritable) {
      options.onError(unwritable, request);
      sendFailure(request, response, "rest");
    }
  }

  function errorText(error: ConnectError, names: FieldNames, request: IncomingMessage): string {
    try {
      const named = withFieldNames(error, names);
      return JSON.stringify({ error: errorBody(named, { ...options.errors, format: "status" }).json });
    } catch (unwritable) {
      options.onError(unwritable, request);
      return `{"error":${internalError}}`;
    }
  }

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
    // The close code of the socket identifies the error.
    socket.once("error", () => call.abort(clientDisconnected()));
    socket.once("close", () => {
      clearInterval(heartbeat);
      call.abort(clientDisconnected());
    });
    countUnfinished(socket, request.socket, options.meter);
    const texts = receive(socket);
    const requests = async function* (): AsyncGenerator<Message> {
      for await (const text of texts) {
        yield binding.bind({ segments, rawQuery, body: { kind: "json", text } });
      }
    };
    try {
      for await (const message of responsesOf(route.spec, call, requests(), options.interceptors))
        await send(socket, options.codec.write(route.method.output, message), options.stallMs);
      socket.close(1000);
    } catch (thrown) {
      const error = toConnectError(thrown, call.signal);
      if (isServerFault(error)) options.onError(thrown, request);
      if (socket.readyState === socket.OPEN) socket.send(errorText(error, jsonFieldNames(route.method.input), request));
      socket.close(closeCodeOf(error), codeName(error.code));
    } finally {
      call.finish();
    }
  }
}

function malformedHandshake(message: string): ConnectError {
  return gatewayError({
    code: Code.InvalidArgument,
    reason: "MALFORMED_HANDSHAKE",
    message,
    headers: { "Sec-WebSocket-Version": "13, 8" },
  });
}

/** Close codes of RFC 6455 and its registry: 1013 asks the client to try again, for example at another server. */
function closeCodeOf(error: ConnectError): number {
  if (error.code === Code.Unavailable) {
    return 1013;
  }
  return isServerFault(error) || error.code === Code.DataLoss ? 1011 : 1008;
}
