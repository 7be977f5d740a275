import { context, metrics, propagation } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { createMetrics, type Metrics } from "./create-metrics.ts";
import { observeProcess } from "./process-metrics.ts";
import { isDisabled, isSet, type Spans, type TelemetryOptions } from "./telemetry-options.ts";

/** Telemetry of a process. */
export interface Telemetry {
  readonly metrics: Metrics;
  /** Whether spans are recorded and exported. */
  readonly exportsSpans: boolean;
  /** Sends what is not sent yet, for processes that may be suspended at any time. */
  flush(): Promise<void>;
  /** Sends what is not sent yet; to be called last. Idempotent. */
  shutdown(): Promise<void>;
}

/**
 * Starts metrics, the propagation of trace contexts and, where spans have somewhere to go, OpenTelemetry's SDK for them.
 * Once a process, before it serves or calls anything.
 *
 * Spans are exported where `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or
 * `OTEL_TRACES_EXPORTER` is set, by OTLP over gRPC unless `OTEL_EXPORTER_OTLP_PROTOCOL` says otherwise. The other
 * variables of the process are those of opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables, such
 * as `OTEL_TRACES_SAMPLER` and `OTEL_RESOURCE_ATTRIBUTES`. Without an exporter, callers' traces are still passed on and
 * shown in log lines. Metrics are read from the operations port, and pushed as `createMetrics` says.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const spans = await startSpans(options);
  const created = await createMetrics(options);
  metrics.setGlobalMeterProvider(created.provider);
  const observing = observeProcess(created.meter);
  let stopping: Promise<unknown> | undefined;
  return {
    metrics: created,
    exportsSpans: spans.areExported,
    async flush() {
      await Promise.all([spans.flush(), created.flush()]);
    },
    async shutdown() {
      // The last values are pushed before their observation ends.
      stopping ??= Promise.all([spans.stop(), created.shutdown().finally(() => observing[Symbol.dispose]())]);
      await stopping;
    },
  };
}

async function startSpans(options: TelemetryOptions): Promise<Spans> {
  if (!exportsSpans(options.environment)) {
    startPropagation();
    return { areExported: false, flush: async () => {}, stop: async () => {} };
  }
  // Loaded where it is used: the SDK and its exporters are a tenth of a second of a cold start.
  const { startSdk } = await import("./sdk.ts");
  return startSdk(options);
}

/** Passes callers' traces on, in this process and to others, without recording anything. */
export function startPropagation(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}

function exportsSpans(environment: TelemetryOptions["environment"]): boolean {
  if (isDisabled(environment)) {
    return false;
  }
  const exporter = environment["OTEL_TRACES_EXPORTER"];
  if (exporter !== undefined && exporter !== "") {
    return exporter !== "none";
  }
  return isSet(environment, "OTEL_EXPORTER_OTLP_ENDPOINT") || isSet(environment, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
}
