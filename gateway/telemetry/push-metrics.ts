import { PeriodicExportingMetricReader, type PushMetricExporter } from "@opentelemetry/sdk-metrics";
import { isSet, type TelemetryOptions } from "./telemetry-options.ts";

type Environment = TelemetryOptions["environment"];

/**
 * What pushes metrics by OTLP every `OTEL_METRIC_EXPORT_INTERVAL` milliseconds, default 60,000; undefined where they are
 * only read. Its addresses, headers and certificates are those of the standard variables.
 */
export async function createPushReader(environment: Environment): Promise<PeriodicExportingMetricReader | undefined> {
  const exporters = (environment["OTEL_METRICS_EXPORTER"] ?? "").split(",").map((name) => name.trim());
  if (!exporters.includes("otlp") && !isSet(environment, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")) {
    return undefined;
  }
  const exportIntervalMillis = millisOf(environment, "OTEL_METRIC_EXPORT_INTERVAL", 60_000);
  const timeout = millisOf(environment, "OTEL_METRIC_EXPORT_TIMEOUT", 30_000);
  return new PeriodicExportingMetricReader({
    exporter: await otlpExporter(environment),
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(timeout, exportIntervalMillis),
  });
}

/** Loaded where they are used: most processes are only read. */
async function otlpExporter(environment: Environment): Promise<PushMetricExporter> {
  const protocol = environment["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"] ?? environment["OTEL_EXPORTER_OTLP_PROTOCOL"];
  if (protocol === "http/protobuf") {
    const { OTLPMetricExporter } = await import("@opentelemetry/exporter-metrics-otlp-proto");
    return new OTLPMetricExporter();
  }
  const { OTLPMetricExporter } = await import("@opentelemetry/exporter-metrics-otlp-grpc");
  return new OTLPMetricExporter();
}

function millisOf(environment: Environment, name: string, fallback: number): number {
  const value = Number(environment[name]);
  return value > 0 ? value : fallback;
}
