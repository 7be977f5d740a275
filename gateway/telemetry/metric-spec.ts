import type { Attributes, Counter, Gauge, Histogram, Meter, MetricOptions, UpDownCounter } from "@opentelemetry/api";

/** A metric: what OpenTelemetry, Prometheus and the documentation say of it. */
export interface MetricSpec {
  /** OpenTelemetry's name, in dotted words; {@link prometheusName} has Prometheus' own. */
  readonly name: string;
  /** A counter only grows, an `upDownCounter` is a sum over all processes, a gauge a value of each. */
  readonly type: "counter" | "upDownCounter" | "gauge" | "histogram";
  /** By UCUM: `s`, `By`, `1` for a ratio, or what is counted in braces, such as `{request}`. */
  readonly unit: string;
  readonly description: string;
  /** Names of its attributes. */
  readonly attributes: readonly string[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

/** Metrics by a name for the code. */
export type MetricSpecs = Readonly<Record<string, MetricSpec>>;

const unitSuffixes: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

/**
 * The name in Prometheus' text format, by the rules for OpenTelemetry's metrics: the unit and, for counters, `_total` are
 * appended. A histogram has `_bucket`, `_sum` and `_count` below it.
 */
export function prometheusName({ name, type, unit }: Pick<MetricSpec, "name" | "type" | "unit">): string {
  const base = name.replaceAll(".", "_");
  const suffix = unit === "1" ? (type === "gauge" ? "_ratio" : "") : (unitSuffixes[unit] ?? "");
  return `${base.endsWith(suffix) ? base : base + suffix}${type === "counter" ? "_total" : ""}`;
}

export function counter(meter: Meter, spec: MetricSpec & { readonly type: "counter" }): Counter {
  return meter.createCounter(spec.name, optionsOf(spec));
}

export function upDownCounter(meter: Meter, spec: MetricSpec & { readonly type: "upDownCounter" }): UpDownCounter {
  return meter.createUpDownCounter(spec.name, optionsOf(spec));
}

export function gauge(meter: Meter, spec: MetricSpec & { readonly type: "gauge" }): Gauge {
  return meter.createGauge(spec.name, optionsOf(spec));
}

export function histogram(meter: Meter, spec: MetricSpec & { readonly type: "histogram" }): Histogram {
  return meter.createHistogram(spec.name, optionsOf(spec));
}

/** Values of a metric by their attributes. */
export type Observed = Iterable<readonly [value: number, attributes?: Attributes]>;

/** Reads the metric's values whenever it is exported, until it is disposed of. `read` must be quick and not throw. */
export function observe(
  meter: Meter,
  spec: MetricSpec & { readonly type: "counter" | "upDownCounter" | "gauge" },
  read: () => Observed,
): Disposable {
  const options = optionsOf(spec);
  const instrument = {
    counter: () => meter.createObservableCounter(spec.name, options),
    upDownCounter: () => meter.createObservableUpDownCounter(spec.name, options),
    gauge: () => meter.createObservableGauge(spec.name, options),
  }[spec.type]();
  const callback: Parameters<typeof instrument.addCallback>[0] = (result) => {
    for (const [value, attributes] of read()) {
      result.observe(value, attributes);
    }
  };
  instrument.addCallback(callback);
  return { [Symbol.dispose]: () => instrument.removeCallback(callback) };
}

function optionsOf({ unit, description, buckets }: MetricSpec): MetricOptions {
  return { unit, description, ...(buckets && { advice: { explicitBucketBoundaries: [...buckets] } }) };
}
