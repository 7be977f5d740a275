import { context, propagation } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import type { Environment } from "../config/sources.ts";

export interface TelemetryOptions {
  /** OpenTelemetry's `service.name`, unless `OTEL_SERVICE_NAME` names another. */
  readonly serviceName: string;
  /** The variables of the process. */
  readonly environment: Environment;
}

/** Telemetry of a process. */
export interface Telemetry {
  /** Sends what is not sent yet; to be called last. Idempotent. */
  shutdown(): Promise<void>;
}

/**
 * Starts the propagation of trace contexts and, where spans have somewhere to go, OpenTelemetry's SDK. Once a process,
 * before it serves or calls anything.
 *
 * Spans are exported where `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or
 * `OTEL_TRACES_EXPORTER` is set, by OTLP over gRPC unless `OTEL_EXPORTER_OTLP_PROTOCOL` says otherwise. The other
 * variables of the process are those of opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables, such
 * as `OTEL_TRACES_SAMPLER` and `OTEL_RESOURCE_ATTRIBUTES`. Without an exporter, callers' traces are still passed on and
 * shown in log lines.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  if (!exportsSpans(options.environment)) {
    startPropagation();
    return { shutdown: async () => {} };
  }
  // Loaded where it is used: the SDK and its exporters are a tenth of a second of a cold start.
  const { startSdk } = await import("./sdk.ts");
  const stop = startSdk(options.serviceName);
  let stopping: Promise<void> | undefined;
  return {
    shutdown() {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** Passes callers' traces on, in this process and to others, without recording anything. */
export function startPropagation(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}

function exportsSpans(environment: Environment): boolean {
  const isSet = (name: string) => (environment[name] ?? "") !== "";
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") {
    return false;
  }
  const exporter = environment["OTEL_TRACES_EXPORTER"];
  if (exporter !== undefined && exporter !== "") {
    return exporter !== "none";
  }
  return isSet("OTEL_EXPORTER_OTLP_ENDPOINT") || isSet("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
}
