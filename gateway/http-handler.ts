import type { ServerResponse } from "node:http";
import { createRpcHandler } from "./connect/handler.ts";
import { httpStatusOf } from "./errors.ts";
import { hasBody, type Request, type Response } from "./http/body/request.ts";
import { discardRest, sendResponse, stopSending } from "./http/body/response.ts";
import { createCors } from "./http/cors.ts";
import { createRequestMeter } from "./http/limits/request-meter.ts";
import { sendFailure, withoutThrowing } from "./http/listener/last-resort.ts";
import type { HttpHandler } from "./http/listener/listener.ts";
import { faultOfHead } from "./http/request-head.ts";
import { createDocs } from "./openapi/docs-handler.ts";
import { createRestHandler, isSameHost } from "./rest/handler.ts";
import type { HttpOptions } from "./rest/options.ts";
import { noBytes } from "./rest/request-body.ts";
import { isWebSocketUpgrade } from "./rest/websocket.ts";

/**
 * Serves everything on the HTTP port, over one set of implementations and one list of interceptors: REST by the
 * `google.api.http` annotations, Connect and gRPC-Web (and gRPC over HTTP/2) at `/package.Service/Method`, CORS, the
 * OpenAPI documents and their page. Requests that match nothing get a 404 as google.rpc.Status.
 *
 * @throws RouteError for annotations that cannot be served or that conflict.
 */
export function createHttpHandler(given: HttpOptions): HttpHandler {
  const options = { meter: createRequestMeter(), ...given, onError: withoutThrowing(given.onError) };
  const { cors: corsOptions } = options;
  const origins = corsOptions === undefined || corsOptions.origins === "*" ? [] : corsOptions.origins;
  const rest = createRestHandler({
    allowsOrigin: (origin, host) => origins.includes(origin) || isSameHost(origin, host),
    ...(options.openapi === undefined ? {} : { docsPath: "/docs" }),
    ...options,
  });
  const cors = options.cors && createCors(options.cors);
  const docs = options.openapi && createDocs(options.openapi);
  const rpc = createRpcHandler(options);

  const listener = (request: Request, response: Response): void => {
    try {
      serve(request, response);
    } catch (error) {
      options.onError(error, request);
      sendFailure(request, response, isRpc(request) ? "rpc" : "rest");
    }
  };

  const serve = (request: Request, response: Response): void => {
    if (hasBody(request)) discardRest(request, response);
    const fault = faultOfHead(request);
    if (fault !== undefined) {
      // RPC clients derive an error from the status and would not understand a REST error body.
      if (isRpc(request)) sendResponse(response, httpStatusOf(fault), {}, noBytes);
      else rest.refuse(request, response, fault);
      return;
    }
    request.url = originForm(request.url ?? "/");
    const { url } = request;
    const question = url.indexOf("?");
    const path = question === -1 ? url : url.slice(0, question);
    if (cors !== undefined && request.headers.origin !== undefined) {
      if (request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined) {
        (response as ServerResponse).writeHead(204, cors.preflight(request.headers)).end();
        if ("stream" in response) stopSending(response.stream);
        return;
      }
      setHeaders(response, cors.headersFor(request.headers));
    }
    if (options.forwardGrpc?.(request, response, path) === true) return;
    const serveRpc = rpc(path);
    if (serveRpc !== undefined) {
      serveRpc(request, response);
      return;
    }
    if (isRpc(request)) {
      // RPC clients derive an error from the status and would not understand a REST error body.
      sendResponse(response, 404, {}, noBytes);
      return;
    }
    const documented = docs?.(request, response, path);
    if (documented !== undefined) {
      documented.catch((error: unknown) => {
        options.onError(error, request);
        sendFailure(request, response, "rest");
      });
      return;
    }
    void rest.handle(request, response);
  };
  return Object.assign(listener, { upgrade: rest.upgrade, shouldUpgrade: isWebSocketUpgrade });
}

/**
 * Converts the absolute form `http://host/path?query`, which a server must accept (RFC 9112, section 3.2.2), to
 * `/path?query`.
 */
function originForm(target: string): string {
  if (target.startsWith("/")) return target;
  const absolute = /^https?:\/\/[^/?#]*(.*)$/i.exec(target);
  if (absolute === null) return target;
  const rest = absolute[1] ?? "";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** True for requests that only a Connect, gRPC-Web or gRPC client sends. */
function isRpc({ headers }: Request): boolean {
  return (
    headers["connect-protocol-version"] !== undefined ||
    /^application\/(grpc|connect\+|proto\b)/.test(headers["content-type"] ?? "")
  );
}

function setHeaders(response: Response, headers: ReturnType<ReturnType<typeof createCors>["headersFor"]>): void {
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (value !== undefined) (response as ServerResponse).setHeader(name, value);
  }
}
