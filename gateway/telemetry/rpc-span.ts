import { Code } from "@connectrpc/connect";
import {
  type Context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { codeName } from "../call/code-name.ts";

/** The span of one call, with the attributes of OpenTelemetry's RPC conventions. */
export interface RpcSpan {
  /** The context in which the call is served: what it calls is a child of the span. */
  readonly context: Context;
  /** Ends the span. Without a code the call was successful. `cause` is recorded if the server is at fault. */
  end(code: Code | undefined, cause?: unknown): void;
}

export interface RpcSpanOptions {
  readonly tracer: Tracer;
  /** `package.Service/Method`. */
  readonly rpc: string;
  /** The convention's `rpc.system.name`: `grpc`, `connectrpc`, … */
  readonly system: string;
  /** Default SERVER. */
  readonly kind?: SpanKind;
  readonly parent: Context;
}

/** Begins the span of a call. */
export function beginRpcSpan({ tracer, rpc, system, kind = SpanKind.SERVER, parent }: RpcSpanOptions): RpcSpan {
  const attributes = { "rpc.system.name": system, "rpc.method": rpc };
  const span = tracer.startSpan(rpc, { kind, attributes }, parent);
  return {
    context: trace.setSpan(parent, span),
    end(code, cause) {
      span.setAttribute("rpc.response.status_code", codeName(code));
      if (code !== undefined && serverFaults.has(code)) {
        span.setAttribute("error.type", codeName(code));
        failSpan(span, cause);
      }
      span.end();
    },
  };
}

/** Codes with which the span of a server failed: opentelemetry.io/docs/specs/semconv/rpc/grpc. */
const serverFaults: ReadonlySet<Code> = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

/** Marks the span as failed, and records the error, if there is one. */
export function failSpan(span: Span, error: unknown): void {
  if (error !== undefined) span.recordException(error instanceof Error ? error : String(error));
  span.setStatus({ code: SpanStatusCode.ERROR, ...(error instanceof Error && { message: error.message }) });
}

/** The context of a call's headers, under `base`. */
export function headerContext(header: Headers, base: Context = ROOT_CONTEXT): Context {
  return propagation.extract(base, header, headerGetter);
}

const headerGetter: TextMapGetter<Headers> = {
  keys: (header) => [...header.keys()],
  get: (header, name) => header.get(name) ?? undefined,
};
