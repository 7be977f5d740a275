import type { Meter, MeterProvider as MeterProviderApi } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { DataPointType, MeterProvider, type MetricData, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { prometheusName } from "./metric-spec.ts";
import type { MetricsText } from "./metrics-text.ts";
import { createPushReader } from "./push-metrics.ts";
import { isDisabled, resourceOf, type TelemetryOptions } from "./telemetry-options.ts";

/** The metrics of a process. */
export interface Metrics extends MetricsText {
  readonly meter: Meter;
  readonly provider: MeterProviderApi;
  /** Pushes the values now, where metrics are pushed. */
  flush(): Promise<void>;
  /** Pushes what is left, where metrics are pushed. */
  shutdown(): Promise<void>;
}

/** Most series of one metric; what goes beyond is added up under `otel_metric_overflow="true"`. */
const maxSeries = 10_000;

/**
 * Creates the metrics of a process: read by Prometheus, and pushed by OTLP as well where `OTEL_METRICS_EXPORTER` says
 * `otlp` or `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` is set. None are recorded with `OTEL_METRICS_EXPORTER=none` or
 * `OTEL_SDK_DISABLED=true`.
 */
export async function createMetrics(options: TelemetryOptions): Promise<Metrics> {
  const off = isDisabled(options.environment) || options.environment["OTEL_METRICS_EXPORTER"] === "none";
  // Only its reader is used: it opens no port of its own.
  const pull = new PrometheusExporter({ preventServerStart: true });
  const push = off ? undefined : await createPushReader(options.environment);
  const provider = new MeterProvider({
    resource: resourceOf(options),
    readers: off ? [] : [pull, ...(push ? [push] : [])],
    views: [{ instrumentName: "*", aggregationCardinalityLimit: maxSeries }],
  });
  const serializer = new PrometheusSerializer("", false, undefined, false, true);
  return {
    meter: provider.getMeter("docket"),
    provider,
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    async read() {
      if (off) {
        return "# metrics are switched off\n";
      }
      const { resourceMetrics } = await pull.collect();
      return serializer.serialize(withPrometheusNames(resourceMetrics));
    },
    flush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
  };
}

/** As the exporter writes names as they are, but for `_total`. */
function withPrometheusNames({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics {
  return {
    resource,
    scopeMetrics: scopeMetrics.map(({ scope, metrics }) => ({ scope, metrics: metrics.map(renamed) })),
  };
}

function renamed(metric: MetricData): MetricData {
  const { name, unit } = metric.descriptor;
  const type = metric.dataPointType === DataPointType.GAUGE ? "gauge" : "upDownCounter";
  const descriptor = { ...metric.descriptor, name: prometheusName({ name, unit, type }), unit: "" };
  return { ...metric, descriptor };
}
