import { Code, ConnectError, type ContextValues, type Interceptor } from "@connectrpc/connect";
import { type Context, context, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { codeName } from "../../../gateway/call/code-name.ts";
import { clientAddressKey, principalKey, requestIdKey, wireKey } from "../context-values.ts";
import type { Logger } from "./log.ts";
import { createRpcMetrics } from "./rpc-metrics.ts";
import { failSpan, headerContext, tracer } from "./tracing.ts";

export interface RpcTelemetryOptions {
  readonly log: Logger;
}

/**
 * Records one span, one log line and one set of metrics per call, after its last message or its failure.
 *
 * The span is a child of the trace that the caller sent (`traceparent`), or of the caller itself in this process; its
 * attributes are those of OpenTelemetry's RPC conventions. The handler runs in it.
 *
 * The level is `error` for server faults, with the cause; `warn` for UNAVAILABLE, DEADLINE_EXCEEDED and
 * RESOURCE_EXHAUSTED, which may need attention; else `info`, or `debug` for calls between services of one process.
 * Failed calls include the client's address. Request and response content is never logged.
 */
export function createRpcTelemetryInterceptor({ log }: RpcTelemetryOptions): Interceptor {
  const metrics = createRpcMetrics();
  return (next) => (request) => {
    const rpc = `${request.service.typeName}/${request.method.name}`;
    const { contextValues, signal } = request;
    const wire = contextValues.get(wireKey);
    const system = wire === "http" ? "connectrpc" : wire;
    const isLocal = wire === "local";
    const parent = headerContext(request.header, isLocal ? context.active() : ROOT_CONTEXT);
    const attributes = { "rpc.system.name": system, "rpc.method": rpc };
    const span = tracer().startSpan(rpc, { kind: isLocal ? SpanKind.INTERNAL : SpanKind.SERVER, attributes }, parent);
    const active = trace.setSpan(parent, span);
    const start = performance.now();
    const measured = metrics.begin(system, rpc);

    const end = (error: ConnectError | undefined) => {
      measured(error?.code);
      const level = levelOf(error?.code) ?? (isLocal ? "debug" : "info");
      if (log.isLevelEnabled(level)) {
        const ms = Math.round((performance.now() - start) * 1000) / 1000;
        const clientAddress = contextValues.get(clientAddressKey);
        const client = error !== undefined && clientAddress !== "" && { client_address: clientAddress };
        const line = { rpc, wire, code: codeName(error?.code), ms, ...identity(contextValues), ...client };
        const written = level === "info" || level === "debug" ? line : { ...line, err: error?.cause ?? error };
        context.with(active, () => log[level](written, "rpc"));
      }
      span.setAttribute("rpc.response.status_code", codeName(error?.code));
      if (levelOf(error?.code) === "error") {
        failSpan(span, error?.cause ?? error);
      }
      span.end();
    };

    return context.with(active, async () => {
      try {
        const response = await next(request);
        if (response.stream) {
          return { ...response, message: observed(within(active, response.message), signal, end) };
        }
        end(undefined);
        return response;
      } catch (error) {
        end(ConnectError.from(error));
        throw error;
      }
    });
  };
}

/** The same messages, each of them produced in the context. */
function within<T>(active: Context, messages: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = messages[Symbol.asyncIterator]();
      const end = iterator.return?.bind(iterator);
      return {
        next: () => context.with(active, () => iterator.next()),
        ...(end && { return: () => context.with(active, () => end()) }),
      };
    },
  };
}

/**
 * Passes the messages through; calls `end` once: with the last message, with the error, or as cancelled if the call
 * ends (by its signal) before either.
 */
function observed<T>(
  messages: AsyncIterable<T>,
  signal: AbortSignal,
  end: (error: ConnectError | undefined) => void,
): AsyncIterable<T> {
  let ended = false;
  const endOnce = (error: ConnectError | undefined) => {
    if (!ended) {
      ended = true;
      signal.removeEventListener("abort", onAbort);
      end(error);
    }
  };
  const onAbort = () => endOnce(ConnectError.from(signal.reason, Code.Canceled));
  signal.addEventListener("abort", onAbort);

  async function* relay(): AsyncGenerator<T> {
    try {
      yield* messages;
      endOnce(undefined);
    } catch (error) {
      endOnce(ConnectError.from(error));
      throw error;
    } finally {
      endOnce(new ConnectError("the caller disconnected", Code.Canceled));
    }
  }
  return relay();
}

function identity(values: ContextValues) {
  const principal = values.get(principalKey);
  return {
    request_id: values.get(requestIdKey),
    ...(principal && { tenant: principal.tenant, subject: principal.subject }),
  };
}

function levelOf(code: Code | undefined): "warn" | "error" | undefined {
  switch (code) {
    case Code.Unknown:
    case Code.Internal:
    case Code.DataLoss:
      return "error";
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.ResourceExhausted:
      return "warn";
    default:
      return undefined;
  }
}
