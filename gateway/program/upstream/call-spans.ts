import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Code, createContextKey, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { type Context, propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { observeCall } from "../../telemetry/observe-call.ts";
import { beginRpcSpan, headerContext, type RpcSpan } from "../../telemetry/rpc-span.ts";
import type { GrpcReply } from "./grpc-reply.ts";

const systemKey = createContextKey<string>("connectrpc", { description: "rpc.system.name" });

/** Notes the wire of a call for its span. Admits every call. */
export function noteWire(call: HandlerContext): undefined {
  if (call.protocolName === "grpc") call.values.set(systemKey, "grpc");
}

/** Records one span per call, as a child of the caller's, and makes it the parent of the upstream's. */
export function createSpanInterceptor(): Interceptor {
  return (next) => (request) => {
    const { service, method, header, contextValues } = request;
    const rpc = `${service.typeName}/${method.name}`;
    const span = begin(rpc, contextValues.get(systemKey), headerContext(header));
    for (const field of propagation.fields()) header.delete(field);
    propagation.inject(span.context, header, { set: (to, name, value) => to.set(name, value) });
    const { context: active } = span;
    return observeCall({ next, request, active, end: (error) => span.end(error?.code, error?.cause ?? error) });
  };
}

/** Begins the span of a gRPC call that is forwarded with these headers, and makes it the parent of the upstream's. */
export function beginForwarded(rpc: string, headers: OutgoingHttpHeaders): RpcSpan {
  const span = begin(rpc, "grpc", propagation.extract(ROOT_CONTEXT, headers));
  for (const field of propagation.fields()) delete headers[field];
  propagation.inject(span.context, headers);
  return span;
}

/** Ends the span with the stream of the reply: as cancelled if the client left before it had a status. */
export function endWithReply(span: RpcSpan, reply: GrpcReply, stream: ServerHttp2Stream): void {
  stream.once("close", () => {
    const withoutStatus = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? Code.Unavailable : Code.Canceled;
    const code = reply.status ?? withoutStatus;
    span.end(code === 0 ? undefined : code);
  });
}

function begin(rpc: string, system: string, parent: Context): RpcSpan {
  return beginRpcSpan({ tracer: trace.getTracer("gateway"), rpc, system, parent });
}
