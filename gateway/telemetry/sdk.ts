import grpc from "@grpc/grpc-js";
import { trace } from "@opentelemetry/api";
import { GrpcInstrumentation } from "@opentelemetry/instrumentation-grpc";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { resourceOf, type Spans, type TelemetryOptions } from "./telemetry-options.ts";

/**
 * Starts OpenTelemetry's SDK for traces, configured by the standard `OTEL_*` variables. Returns what sends the spans
 * that have ended, and what sends the rest and stops it.
 */
export function startSdk(options: TelemetryOptions): Spans {
  // biome-ignore lint/style/noProcessEnv: the SDK reads it from there, and its own default is HTTP
  process.env["OTEL_EXPORTER_OTLP_PROTOCOL"] ??= "grpc";
  const sdk = new NodeSDK({
    resource: resourceOf(options),
    instrumentations: options.tracesClients === false ? [] : [instrumentGrpcClients()],
    metricReaders: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return { areExported: true, flush: flushSpans, stop: () => sdk.shutdown() };
}

/** The SDK registers its tracer provider behind a proxy of the API, and has no method of its own for this. */
async function flushSpans(): Promise<void> {
  const proxy = trace.getTracerProvider() as { getDelegate?(): { forceFlush?(): Promise<void> } };
  await proxy.getDelegate?.().forceFlush?.();
}

/**
 * Instruments the clients of grpc-js. Its hooks for module loaders do not see a module that is loaded already or is
 * part of a bundle, so the patch is applied directly.
 *
 * Servers are left out: as of 0.300, the patched handler of a unary method drops the trailers of its response. Their
 * spans are made by the interceptor that makes those of the other wires, so that a call has the same span on each.
 */
function instrumentGrpcClients(): GrpcInstrumentation {
  const instrumentation = new GrpcInstrumentation({ enabled: false });
  const withoutServer = { ...grpc, Server: { prototype: { register() {} } } };
  for (const { patch } of instrumentation.init()) {
    patch?.(withoutServer);
  }
  return instrumentation;
}
