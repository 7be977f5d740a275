import type { Message } from "@bufbuild/protobuf";
import { Code, type ConnectError, type Interceptor } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { abortable, untilAborted } from "../call/abort.ts";
import type { Call } from "../call/call-context.ts";
import { invokeUnary, responsesOf } from "../call/invoke.ts";
import { createJsonCodec } from "../codec/json-codec.ts";
import { abortReason, gatewayError, httpStatusOf, invalidRequest, isServerFault, toConnectError } from "../errors.ts";
import { type FieldNames, withFieldNames } from "../fields/field-names.ts";
import {
  bodyOfSameTurn,
  hasBody,
  holdMessages,
  type Request,
  type Response,
  readBody,
  readUnencoded,
  streamBody,
} from "../http/body/body.ts";
import { refuseForgery } from "../http/cross-origin.ts";
import { createRequestMeter } from "../http/limits/request-meter.ts";
import { defaultServerLimits } from "../http/limits/server-limits.ts";
import { sendFailure } from "../http/listener/last-resort.ts";
import { createHeaderFilter, defaultRequestHeaders } from "../http/metadata.ts";
import { createRouter, routesOf } from "../routing/http-rules.ts";
import { nearestRoute } from "../routing/nearest-route.ts";
import { applyIfMatch, isEtagMismatch } from "./conditional-requests.ts";
import { rawRequests } from "./http-body-stream.ts";
import { jsonRequests } from "./json-request-stream.ts";
import { defaultMaxBodyBytes, type RestOptions } from "./options.ts";
import { openRestCall, type PreparedRoute, prepareRoute } from "./prepared-route.ts";
import { assertCharset, assertMediaType, noBytes, requestBodyOf } from "./request-body.ts";
import { type ErrorOptions, writeError } from "./response.ts";
import { type StreamOptions, writeRawStream, writeStream } from "./stream-response.ts";
import { alwaysOk, defaultSuccessStatus, withServedLocations } from "./success-status.ts";
import { writeMessage } from "./unary-response.ts";
import { createUpgradeHandler, type UpgradeHandler } from "./websocket.ts";

/** Maximum body of a unary method that takes raw bytes (`google.api.HttpBody`), such as a webhook. */
const maxRawBodyBytes = 1024 * 1024;

/** Serves REST requests. */
export interface RestHandler {
  /** Never rejects. */
  handle(request: Request, response: Response): Promise<void>;
  /** Responds with an error to a request that is not handled. */
  refuse(request: Request, response: Response, error: ConnectError): void;
  /** Serves streams over WebSockets. */
  readonly upgrade: UpgradeHandler;
}

/** A matched route and the inputs for its request message. */
interface Matched {
  readonly route: PreparedRoute;
  readonly segments: readonly string[];
  readonly rawQuery: string;
}

/**
 * Serves the `google.api.http` annotations of the implementations: match, bind, decode, interceptors, implementation,
 * encode. A request that matches no route gets 404 (or 405 with `Allow`) as google.rpc.Status, like any other error.
 *
 * @throws RouteError for annotations that cannot be served or that conflict.
 */
export function createRestHandler(options: RestOptions): RestHandler {
  const codec = createJsonCodec({
    ...options.json,
    registry: options.registry,
    ignoreUnknownFields: options.json?.ignoreUnknownFields ?? options.lenient ?? false,
    maxElements: options.maxElements,
  });
  const lenient = options.lenient ?? false;
  const { serviceConfig } = options;
  const bindingOptions = {
    lenient,
    queryParameters: options.queryParameters,
    fullyDecodeReservedExpansion: serviceConfig?.fullyDecodeReservedExpansion,
  };
  const allowsOrigin = options.allowsOrigin ?? isSameHost;
  const interceptors: Interceptor[] = [...(options.interceptors ?? [])];
  const filterHeaders = createHeaderFilter(options.requestHeaders ?? defaultRequestHeaders);
  const maxBodyBytes = options.maxBodyBytes ?? defaultMaxBodyBytes;
  const limits = {
    maxBytes: maxBodyBytes,
    meter: options.meter ?? createRequestMeter(),
    budget: options.decodeBudget,
  };
  const rawLimits = { ...limits, maxBytes: Math.min(maxBodyBytes, maxRawBodyBytes) };
  const isServed = (path: string): boolean => router.find("GET", path).kind === "match";
  const byDefault = options.created === false ? alwaysOk : withServedLocations(defaultSuccessStatus, isServed);
  const success = options.success ?? byDefault;
  const errors: ErrorOptions = {
    format: options.errorFormat ?? "status",
    domain: options.errorDomain ?? "gateway",
    registry: options.registry,
  };
  const routes = options.specs.flatMap(({ methods }) =>
    Object.values(methods).flatMap((spec) =>
      routesOf(spec.method, options).map((route) => prepareRoute(route, spec, codec, bindingOptions)),
    ),
  );
  const router = createRouter(routes);

  const handle = async (request: Request, response: Response): Promise<void> => {
    let context: Call | undefined;
    let names: FieldNames | undefined;
    try {
      const found = match(request);
      const { route } = found;
      names = route.fieldNames;
      refuseForgery(request, allowsOrigin);
      context = openRestCall(request, response, route, filterHeaders, options);
      if (route.spec.kind === "bidi_streaming" && route.httpMethod === "GET") throw upgradeRequired(route);
      const admitted = options.admit?.(context);
      if (admitted !== undefined) await untilAborted(admitted, context.signal, abortReason);
      if (route.spec.kind === "bidi_streaming") {
        await answerStream(request, response, route, requestStream(request, found), context);
        return;
      }
      if (route.spec.kind === "client_streaming") {
        await answerClientStream(request, response, found, context);
        return;
      }
      if (hasBody(request)) assertMediaType(request, route);
      const bytes = hasBody(request) ? await read(request, route) : noBytes;
      const message = bind(request, found, bytes);
      if (route.spec.kind === "unary") {
        const call = invokeUnary(route.spec, context, message, interceptors);
        let answer: Message;
        if (context.timeoutMs() !== undefined)
          answer = await untilAborted(Promise.resolve(call), context.signal, abortReason);
        else answer = call instanceof Promise ? await call : call;
        const written = writeMessage(request, response, route, answer, context, codec, success);
        if (written !== undefined) await written;
        return;
      }
      const lastEventId = request.headers["last-event-id"];
      if (typeof lastEventId === "string") route.resume.apply(message, lastEventId);
      await answerStream(request, response, route, createAsyncIterable([message]), context);
    } catch (thrown) {
      await bodyOfSameTurn(request);
      try {
        const failure = toConnectError(thrown, context?.signal);
        const error = names === undefined ? failure : withFieldNames(failure, names);
        if (isServerFault(error)) options.onError?.(thrown, request);
        writeError(request, response, error, errors, statusOf(error, request), context?.touchedHeader());
      } catch (unwritable) {
        options.onError?.(unwritable, request);
        sendFailure(request, response, "rest");
      }
    } finally {
      context?.finish();
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
    meter: limits.meter,
    stallMs: options.stallMs ?? defaultServerLimits.stallMs,
    allowsOrigin,
    admit: options.admit,
    open: (request, response, route) => openRestCall(request, response, route, filterHeaders, options),
    onError: (error, request) => options.onError?.(error, request),
  });

  return {
    handle,
    refuse: (request, response, error) => writeError(request, response, error, errors),
    upgrade,
  };

  /** Matches a WebSocket request, which starts as a GET, to the stream of a GET or POST rule at its path. */
  function matchStream(request: Request): Matched {
    for (const method of ["GET", "POST"]) {
      try {
        const found = match(request, method);
        if (found.route.spec.kind !== "unary") return found;
      } catch {
        // The error is reported below if no other route matches.
      }
    }
    return match(request);
  }

  function match(request: Request, method = request.method ?? ""): Matched {
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
        throw routeNotFound(nearestRoute(routes, method, path), options.docsPath);
      default:
        return found satisfies never;
    }
  }

  function read(request: Request, { binding, spec }: PreparedRoute): Promise<Buffer> {
    return binding.rawBody && spec.kind === "unary" ? readUnencoded(request, rawLimits) : readBody(request, limits);
  }

  function bind(request: Request, { route, segments, rawQuery }: Matched, bytes: Buffer): Message {
    const message = route.binding.bind({ segments, rawQuery, body: requestBodyOf(request, route, bytes, lenient) });
    const ifMatch = request.headers["if-match"];
    if (ifMatch !== undefined) applyIfMatch(message, route.etagPath, ifMatch);
    return message;
  }

  async function answerStream(
    request: Request,
    response: Response,
    route: PreparedRoute,
    requests: AsyncIterable<Message>,
    context: Call,
  ): Promise<void> {
    const responses = responsesOf(route.spec, context, requests, interceptors);
    const messages = abortable(responses, context.signal, abortReason)[Symbol.asyncIterator]();
    if (route.rawResponse) await writeRawStream(request, response, route, messages, context, streamOptions(request));
    else await writeStream(request, response, route, messages, context, streamOptions(request));
  }

  async function answerClientStream(
    request: Request,
    response: Response,
    found: Matched,
    context: Call,
  ): Promise<void> {
    const { route } = found;
    const answers = responsesOf(route.spec, context, requestStream(request, found), interceptors);
    const first = await untilAborted(answers.next(), context.signal, abortReason);
    if (first.done === true) throw new Error(`${route.method.name} returned no message`);
    // The trailers are available only once the iterator has ended.
    await answers.next();
    await writeMessage(request, response, route, first.value, context, codec, success);
  }

  function requestStream(request: Request, { route, ...input }: Matched): AsyncIterable<Message> {
    const contentType = request.headers["content-type"] ?? "application/octet-stream";
    if (!route.binding.rawBody) assertCharset(contentType);
    return route.binding.rawBody
      ? rawRequests(route, input, contentType, streamBody(request))
      : jsonRequests(route, input, streamBody(request), maxBodyBytes, holdMessages(request, limits.meter));
  }

  function streamOptions(request: Request): StreamOptions {
    return {
      codec,
      errors,
      heartbeatMs: options.heartbeatMs ?? 15_000,
      streamFormat: options.streamFormat ?? "ndjson",
      onError: (error) => options.onError?.(error, request),
    };
  }
}

/**
 * True for an origin on this host. Browsers let any page open a WebSocket, so by default only pages of this host may.
 */
export function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}

function statusOf(error: ConnectError, request: Request): number {
  return request.headers["if-match"] !== undefined && isEtagMismatch(error) ? 412 : httpStatusOf(error);
}

function routeNotFound(nearest: string | undefined, docsPath: string | undefined): ConnectError {
  const guess = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  const docs =
    docsPath === undefined ? "" : `${nearest === undefined ? "; the" : " The"} API is described at ${docsPath}`;
  return gatewayError({
    code: Code.NotFound,
    reason: "ROUTE_NOT_FOUND",
    message: `no route matches this path${guess}${docs}`,
  });
}

function methodNotAllowed(method: string, allowed: readonly string[]): ConnectError {
  const allow = allowed.join(", ");
  return gatewayError({
    code: Code.Unimplemented,
    reason: "METHOD_NOT_ALLOWED",
    message: `the method ${method} is not allowed for this path; allowed: ${allow}`,
    httpStatus: 405,
    headers: { Allow: allow },
    metadata: { allow },
  });
}

function upgradeRequired(route: PreparedRoute): ConnectError {
  return gatewayError({
    code: Code.Unimplemented,
    reason: "UPGRADE_REQUIRED",
    message: `${route.method.name} is a bidirectional stream: connect with a WebSocket`,
    httpStatus: 426,
  });
}
