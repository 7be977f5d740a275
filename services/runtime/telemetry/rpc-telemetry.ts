import { Code, type ConnectError, type ContextValues, type Interceptor } from "@connectrpc/connect";
import { context, ROOT_CONTEXT, SpanKind } from "@opentelemetry/api";
import { codeName } from "../../../gateway/call/code-name.ts";
import { observeCall } from "../../../gateway/telemetry/observe-call.ts";
import { beginRpcSpan, headerContext } from "../../../gateway/telemetry/rpc-span.ts";
import { clientAddressKey, principalKey, requestIdKey, wireKey } from "../context-values.ts";
import type { Logger } from "./log.ts";
import { createRpcMetrics } from "./rpc-metrics.ts";
import { tracer } from "./tracing.ts";

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
    const { contextValues } = request;
    const wire = contextValues.get(wireKey);
    const system = wire === "http" ? "connectrpc" : wire;
    const isLocal = wire === "local";
    const parent = headerContext(request.header, isLocal ? context.active() : ROOT_CONTEXT);
    const kind = isLocal ? SpanKind.INTERNAL : SpanKind.SERVER;
    const span = beginRpcSpan({ tracer: tracer(), rpc, system, kind, parent });
    const { context: active } = span;
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
      span.end(error?.code, error?.cause ?? error);
    };

    return observeCall({ next, request, active, end });
  };
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
