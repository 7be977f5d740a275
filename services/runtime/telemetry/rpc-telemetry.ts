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
 * One log line and one set of measurements for each call, when its last message is out or it failed.
 *
 * The line is of level `error` for our own faults, with the cause in it, `warn` for what a person may want to look
 * at (UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED), else `info`, or `debug` for calls between services of one
 * process. Of a call that failed the client's address is in it. No request or response content is logged.
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
 * The same messages; `end` is called once: with the last message, with the error, or as cancelled when the call was
 * over (its signal says so) before either.
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
