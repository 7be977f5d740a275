import { isUtf8 } from "node:buffer";
import type { Message } from "@bufbuild/protobuf";
import { Code, type ConnectError, type Interceptor } from "@connectrpc/connect";
import { createAsyncIterable, transformInvokeImplementation } from "@connectrpc/connect/protocol";
import { type ErrorOptions, writeError } from "./answer.ts";
import type { RequestBody } from "./binding.ts";
import { type Call, invokeUnary } from "./call.ts";
import { untilAborted } from "./deadline.ts";
import { gatewayError, httpStatusOf, invalidRequest, isOurs, toConnectError } from "./errors.ts";
import { type FormPart, parseMultipart, parseUrlencoded } from "./form.ts";
import { createHeaderFilter, defaultRequestHeaders } from "./headers.ts";
import { discardRest, hasBody, type Request, type Response, readBody, streamBody } from "./http-io.ts";
import { createJsonCodec } from "./json-codec.ts";
import { jsonRequests } from "./json-requests.ts";
import { applyIfMatch, isEtagMismatch } from "./preconditions.ts";
import { rawRequests } from "./raw-requests.ts";
import { openRestCall, type PreparedRoute, prepareRoute } from "./rest-call.ts";
import type { RestOptions } from "./rest-options.ts";
import { type StreamOptions, writeRawStream, writeStream } from "./rest-stream.ts";
import { writeMessage } from "./rest-unary.ts";
import { createRouter, routesOf } from "./routes.ts";
import { createdOnCollections } from "./success.ts";
import { createUpgradeHandler, type UpgradeHandler } from "./websocket.ts";

/** Answers requests. */
export interface RestHandler {
  /** Never rejects. */
  handle(request: Request, response: Response): Promise<void>;
  /** Serves streams over WebSockets. */
  readonly upgrade: UpgradeHandler;
}

const noBytes = Buffer.alloc(0);

const defaultMaxBodyBytes = 4 * 1024 * 1024;

/**
 * Serves the `google.api.http` annotations of the implementations: match, bind, decode, interceptors, implementation,
 * encode. What no route matches is answered 404 (or 405 with `Allow`) as google.rpc.Status like any other error.
 *
 * @throws RouteError on annotations that cannot be served or that contradict each other.
 */
export function createRestHandler(options: RestOptions): RestHandler {
  const codec = createJsonCodec({
    ...options.json,
    registry: options.registry,
    ignoreUnknownFields: options.json?.ignoreUnknownFields ?? options.lenient ?? false,
  });
  const lenient = options.lenient ?? false;
  const interceptors: Interceptor[] = [...(options.interceptors ?? [])];
  const filterHeaders = createHeaderFilter(options.requestHeaders ?? defaultRequestHeaders);
  const maxBodyBytes = options.maxBodyBytes ?? defaultMaxBodyBytes;
  const success = options.success ?? createdOnCollections;
  const errors: ErrorOptions = {
    format: options.errorFormat ?? "status",
    domain: options.errorDomain ?? "gateway",
    registry: options.registry,
  };
  const router = createRouter(
    options.specs.flatMap(({ methods }) =>
      Object.values(methods).flatMap((spec) =>
        routesOf(spec.method).map((route) => prepareRoute(route, spec, codec, lenient)),
      ),
    ),
  );

  const handle = async (request: Request, response: Response): Promise<void> => {
    let context: Call | undefined;
    try {
      const { route, segments, rawQuery } = match(request);
      context = openRestCall(request, response, route, filterHeaders, options);
      await answer(request, response, route, { segments, rawQuery }, context);
    } catch (thrown) {
      const error = toConnectError(thrown, context?.signal);
      if (isOurs(error)) options.onError?.(thrown, request);
      writeError(request, response, error, errors, statusOf(error, request), context?.touchedHeader());
    } finally {
      context?.abort();
    }
  };

  const upgrade = createUpgradeHandler({
    codec,
    errors,
    interceptors,
    lenient,
    match: matchStream,
    maxMessageBytes: maxBodyBytes,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    allowsOrigin: options.allowsOrigin ?? isSameHost,
    open: (request, response, route) => openRestCall(request, response, route, filterHeaders, options),
    onError: (error, request) => options.onError?.(error, request),
  });

  return { handle, upgrade };

  /** A WebSocket begins as a GET, and also leads to the stream that a POST at the path is. */
  function matchStream(request: Request): ReturnType<typeof match> {
    for (const method of ["GET", "POST"]) {
      try {
        const found = match(request, method);
        if (found.route.spec.kind !== "unary") return found;
      } catch {
        // What is wrong is told below, if nothing else is found.
      }
    }
    return match(request);
  }

  function match(
    request: Request,
    method = request.method ?? "",
  ): { route: PreparedRoute; segments: readonly string[]; rawQuery: string } {
    const url = request.url ?? "/";
    const question = url.indexOf("?");
    const path = question === -1 ? url : url.slice(0, question);
    let found: ReturnType<typeof router.find>;
    try {
      found = router.find(method, path);
    } catch {
      throw invalidRequest([{ field: "", description: "the path is not valid percent-encoding" }], "MALFORMED_PATH");
    }
    switch (found.kind) {
      case "match":
        return {
          route: found.value,
          segments: found.segments,
          rawQuery: question === -1 ? "" : url.slice(question + 1),
        };
      case "method":
        throw methodNotAllowed(method, found.allowed);
      case "none":
        throw gatewayError({
          code: Code.NotFound,
          reason: "ROUTE_NOT_FOUND",
          message: "no method is served at this path",
        });
      default:
        return found satisfies never;
    }
  }

  async function answer(
    request: Request,
    response: Response,
    route: PreparedRoute,
    input: { segments: readonly string[]; rawQuery: string },
    context: Call,
  ): Promise<void> {
    const { spec } = route;
    const bindOne = async (): Promise<Message> => {
      const body = await readRequestBody(request, route);
      const message = route.binding.bind({ ...input, body });
      const ifMatch = request.headers["if-match"];
      if (ifMatch !== undefined) applyIfMatch(message, route.etagPath, ifMatch);
      return message;
    };
    if (spec.kind === "unary") {
      const call = invokeUnary(spec, context, await bindOne(), interceptors);
      const message = context.timeoutMs() === undefined ? await call : await untilAborted(call, context.signal);
      await writeMessage(request, response, route, message, context, codec, success);
      return;
    }
    const invoke = transformInvokeImplementation(spec, context, interceptors);
    if (spec.kind === "server_streaming") {
      const message = await bindOne();
      const lastEventId = request.headers["last-event-id"];
      if (typeof lastEventId === "string") route.resume.apply(message, lastEventId);
      const messages = abortable(invoke(createAsyncIterable([message])), context.signal);
      if (route.rawResponse) await writeRawStream(response, route, messages, context, streamOptions(request));
      else await writeStream(request, response, route, messages, context, streamOptions(request));
      return;
    }
    if (spec.kind === "client_streaming") {
      const answers = invoke(requestStream(request, response, route, input))[Symbol.asyncIterator]();
      const first = await untilAborted(answers.next(), context.signal);
      if (first.done === true) throw new Error(`${route.method.name} answered nothing`);
      // The trailers are there only once the iterator has ended.
      await answers.next();
      await writeMessage(request, response, route, first.value, context, codec, success);
      return;
    }
    if (route.httpMethod === "GET") {
      throw gatewayError({
        code: Code.Unimplemented,
        reason: "UPGRADE_REQUIRED",
        message: `${route.method.name} streams both ways: connect by WebSocket`,
        httpStatus: 426,
      });
    }
    const messages = abortable(invoke(requestStream(request, response, route, input)), context.signal);
    if (route.rawResponse) await writeRawStream(response, route, messages, context, streamOptions(request));
    else await writeStream(request, response, route, messages, context, streamOptions(request));
  }

  function requestStream(
    request: Request,
    response: Response,
    route: PreparedRoute,
    input: { segments: readonly string[]; rawQuery: string },
  ): AsyncIterable<Message> {
    discardRest(request, response);
    const contentType = request.headers["content-type"] ?? "application/octet-stream";
    return route.binding.rawBody
      ? rawRequests(route, input, contentType, streamBody(request))
      : jsonRequests(route, input, streamBody(request), maxBodyBytes);
  }

  async function readRequestBody(request: Request, route: PreparedRoute): Promise<RequestBody> {
    const contentType = request.headers["content-type"] ?? "";
    const bytes = hasBody(request) ? await readBody(request, maxBodyBytes) : noBytes;
    if (route.body === "none") {
      if (bytes.length > 0 && !lenient && !isEmptyBody(bytes)) {
        throw invalidRequest([{ field: "", description: "this method takes no body" }], "UNEXPECTED_BODY");
      }
      return { kind: "none" };
    }
    if (route.binding.rawBody) return { kind: "raw", contentType, data: bytes };
    if (bytes.length === 0) return { kind: "none" };
    if (contentType !== "application/json") {
      const parts = formParts(contentType, bytes);
      if (parts !== undefined) return { kind: "form", parts };
      assertJson(contentType, bytes);
    }
    if (!isUtf8(bytes)) {
      throw invalidRequest([{ field: "", description: "the body is not valid UTF-8" }], "MALFORMED_JSON");
    }
    return { kind: "json", text: bytes.toString("utf8") };
  }

  function streamOptions(request: Request): StreamOptions {
    return {
      codec,
      errors,
      heartbeatMs: options.heartbeatMs ?? 15_000,
      onError: (error) => options.onError?.(error, request),
    };
  }
}

/** Browsers let any page open a WebSocket: only those of our own host may, unless told otherwise. */
function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

function statusOf(error: ConnectError, request: Request): number {
  return request.headers["if-match"] !== undefined && isEtagMismatch(error) ? 412 : httpStatusOf(error);
}

function methodNotAllowed(method: string, allowed: readonly string[]): ConnectError {
  const allow = allowed.join(", ");
  return gatewayError({
    code: Code.Unimplemented,
    reason: "METHOD_NOT_ALLOWED",
    message: `${method} is not served at this path; ${allow} is`,
    httpStatus: 405,
    headers: { Allow: allow },
    metadata: { allow },
  });
}

/** Nothing, or an object of nothing, which some clients send with a GET. */
function isEmptyBody(bytes: Buffer): boolean {
  const text = bytes.toString("latin1").trim();
  return text === "" || (text.startsWith("{") && text.endsWith("}") && text.slice(1, -1).trim() === "");
}

/** The parts of a form; undefined for any other body. */
function formParts(contentType: string, bytes: Buffer): FormPart[] | undefined {
  if (/^multipart\/form-data\b/i.test(contentType)) return parseMultipart(bytes, contentType);
  const looksLikeJson = /^\s*[[{]/.test(bytes.toString("latin1", 0, 64));
  if (looksLikeJson || !/^application\/x-www-form-urlencoded\b/i.test(contentType)) return undefined;
  return parseUrlencoded(bytes);
}

/** `curl -d` sends JSON under the type of a form unless told otherwise; no form begins with a brace or a bracket. */
function assertJson(contentType: string, body: Buffer): void {
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const looksLikeJson = /^\s*[[{]/.test(body.toString("latin1", 0, 64));
  const isJson =
    type === "" ||
    /^(application|text)\/([\w.-]+\+)?json$/.test(type) ||
    (type === "application/x-www-form-urlencoded" && looksLikeJson);
  if (!isJson) {
    throw gatewayError({
      code: Code.InvalidArgument,
      reason: "UNSUPPORTED_MEDIA_TYPE",
      message: `content-type "${type.slice(0, 80)}" is not supported here; send application/json`,
      httpStatus: 415,
      metadata: { supported: "application/json" },
    });
  }
}

/** An iterator whose `next` rejects as soon as the signal aborts. */
function abortable(messages: AsyncIterable<Message>, signal: AbortSignal): AsyncIterator<Message> {
  const iterator = messages[Symbol.asyncIterator]();
  return {
    next: () => untilAborted(iterator.next(), signal),
    // Not awaited: an implementation that hangs must not keep the answer open.
    return: async () => {
      iterator.return?.().catch(() => undefined);
      return { done: true, value: undefined };
    },
  };
}
