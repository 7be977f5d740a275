import { Code, ConnectError, type ContextValues, type Interceptor } from "@connectrpc/connect";
import { wireKey } from "../call/call-context.ts";
import { codeName } from "../call/code-name.ts";
import { clientAddressKey, principalKey, requestIdKey, traceparentKey } from "../context-values.ts";
import type { Logger } from "./log.ts";
import type { RpcMetrics } from "./rpc-metrics.ts";

export interface RpcTelemetryOptions {
  readonly log: Logger;
  readonly metrics: RpcMetrics;
}

/**
 * Records one log line and one set of metrics per call, after its last message or its failure.
 *
 * The level is `error` for server faults, with the cause; `warn` for UNAVAILABLE, DEADLINE_EXCEEDED and
 * RESOURCE_EXHAUSTED, which may need attention; else `info`, or `debug` for calls between services of one process.
 * Failed calls include the client's address. Request and response content is never logged.
 */
export function createRpcTelemetryInterceptor({ log, metrics }: RpcTelemetryOptions): Interceptor {
  return (next) => async (request) => {
    const rpc = `${request.service.typeName}/${request.method.name}`;
    const { contextValues, signal } = request;
    const wire = contextValues.get(wireKey)?.name ?? "http";
    const start = performance.now();
    const measured = metrics.begin(wire === "http" ? "connectrpc" : wire, rpc);

    const end = (error: ConnectError | undefined) => {
      measured(error?.code);
      const level = levelOf(error?.code) ?? (wire === "local" ? "debug" : "info");
      if (!log.isLevelEnabled(level)) {
        return;
      }
      const ms = Math.round((performance.now() - start) * 1000) / 1000;
      const clientAddress = contextValues.get(clientAddressKey);
      const client = error !== undefined && clientAddress !== "" && { client_address: clientAddress };
      const line = { rpc, wire, code: codeName(error?.code), ms, ...identity(contextValues), ...client };
      log[level](level === "info" || level === "debug" ? line : { ...line, err: error?.cause ?? error }, "rpc");
    };

    try {
      const response = await next(request);
      if (response.stream) {
        return { ...response, message: observed(response.message, signal, end) };
      }
      end(undefined);
      return response;
    } catch (error) {
      end(ConnectError.from(error));
      throw error;
    }
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
      endOnce(new ConnectError("the caller left", Code.Canceled));
    }
  }
  return relay();
}

function identity(values: ContextValues) {
  const principal = values.get(principalKey);
  const traceparent = values.get(traceparentKey);
  return {
    request_id: values.get(requestIdKey),
    ...(principal && { tenant: principal.tenant, subject: principal.subject }),
    ...(traceparent && { trace_id: traceparent.slice(3, 35), span_id: traceparent.slice(36, 52) }),
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
