import type { Message } from "@bufbuild/protobuf";
import { Code, type ConnectError, type Interceptor } from "@connectrpc/connect";
import { createAsyncIterable } from "@connectrpc/connect/protocol";
import { abortable, untilAborted } from "../call/abort.ts";
import type { Call } from "../call/call-context.ts";
import { invokeUnary, responsesOf } from "../call/invoke.ts";
import { createJsonCodec } from "../codec/json-codec.ts";
import { abortReason, gatewayError, httpStatusOf, isServerFault, toConnectError } from "../errors.ts";
import { type FieldNames, withFieldNames } from "../fields/field-names.ts";
import { bodyOfSameTurn, hasBody, type Request, type Response } from "../http/body/request.ts";
import { refuseForgery } from "../http/cross-origin.ts";
import { createRequestMeter } from "../http/limits/request-meter.ts";
import { defaultServerLimits } from "../http/limits/server-limits.ts";
import { sendFailure } from "../http/listener/last-resort.ts";
import { createHeaderFilter, defaultRequestHeaders } from "../http/metadata.ts";
import { createRouter, routesOf } from "../routing/http-rules.ts";
import { isEtagMismatch } from "./conditional-requests.ts";
import { createMatcher, type Matched } from "./match.ts";
import { defaultMaxBodyBytes, type RestOptions } from "./options.ts";
import { openRestCall, type PreparedRoute, prepareRoute } from "./prepared-route.ts";
import { assertMediaType, noBytes } from "./request-body.ts";
import { createRequestReader } from "./request-reader.ts";
import { type ErrorOptions, writeError } from "./response.ts";
import { type StreamOptions, writeRawStream, writeStream } from "./stream-response.ts";
import { alwaysOk, defaultSuccessStatus, withServedLocations } from "./success-status.ts";
import { writeMessage } from "./unary-response.ts";
import { createUpgradeHandler, type UpgradeHandler } from "./websocket.ts";

/** Serves REST requests. */
export interface RestHandler {
  /** Never rejects. */
  handle(request: Request, response: Response): Promise<void>;
  /** Responds with an error to a request that is not handled. */
  refuse(request: Request, response: Response, error: ConnectError): void;
  /** Serves streams over WebSockets. */
  readonly upgrade: UpgradeHandler;
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
  const { read, bind, requestStream } = createRequestReader({ limits, lenient });
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
  const { match, matchStream } = createMatcher({ routes, router, docsPath: options.docsPath });

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

function upgradeRequired(route: PreparedRoute): ConnectError {
  return gatewayError({
    code: Code.Unimplemented,
    reason: "UPGRADE_REQUIRED",
    message: `${route.method.name} is a bidirectional stream: connect with a WebSocket`,
    httpStatus: 426,
  });
}
