import { constants, PerformanceObserver } from "node:perf_hooks";
import { gauge as gaugeOf } from "../../../gateway/telemetry/metric-spec.ts";
import { gcKindOf } from "../../../gateway/telemetry/process-metrics.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import type { Check } from "./checks.ts";

/** Functions that return the current amount of a resource, by name. Must be cheap. */
export type LeakSources = Readonly<Record<string, () => number>>;

export interface LeakOptions {
  /** Watched in addition to the heap after a full collection and the active handles of the process. */
  readonly sources?: LeakSources;
  /** Number of samples in the window. Default 60: ten minutes at the default interval. */
  readonly samples?: number;
  /** Sampling interval in milliseconds. Default 10,000. */
  readonly intervalMs?: number;
}

/** The window is divided into this many parts; the minimum of each must exceed that of the previous one. */
const parts = 4;
/** Smaller growth is noise. */
const minGrowth = 1.2;

/**
 * Creates a check for resources that keep growing. It warns and never fails, because a restart does not fix a leak. It
 * names each suspect with its value at the window's begin and end; the values are also the metric
 * `process_watched_resource`.
 */
export function createLeakCheck(options: LeakOptions = {}): Check {
  const { samples = 60, intervalMs = 10_000 } = options;
  const sources: LeakSources = {
    heap_after_gc_bytes: watchHeap(),
    active_handles: () => process.getActiveResourcesInfo().length,
    ...options.sources,
  };
  const gauge = gaugeOf(meter(), runtimeMetrics.watchedResource);
  const history = new Map<string, number[]>();

  return {
    policy: "degraded",
    intervalMs,
    async run() {
      const suspects: string[] = [];
      for (const [name, read] of Object.entries(sources)) {
        const value = read();
        gauge.record(value, { resource: name });
        const values = [...(history.get(name) ?? []), value].slice(-samples);
        history.set(name, values);
        if (values.length === samples && keepsRising(values)) {
          suspects.push(`${name} rose from ${values[0]} to ${value}`);
        }
      }
      return suspects.length === 0 ? { status: "pass" } : { status: "warn", error: suspects.join("; ") };
    },
  };
}

/** Whether the low-water mark rises through the whole window. Load goes up and down; a leak only up. */
export function keepsRising(values: readonly number[]): boolean {
  const size = Math.floor(values.length / parts);
  const lows = Array.from({ length: parts }, (_, part) => Math.min(...values.slice(part * size, (part + 1) * size)));
  const rising = lows.every((low, part) => part === 0 || low > (lows[part - 1] ?? low));
  return rising && (lows[parts - 1] ?? 0) > (lows[0] ?? 0) * minGrowth;
}

/** Measures the heap after the last full garbage collection; zero before the first one. */
function watchHeap(): () => number {
  let heapBytes = 0;
  const observer = new PerformanceObserver((list) => {
    const full = list.getEntries().some((entry) => gcKindOf(entry) === constants.NODE_PERFORMANCE_GC_MAJOR);
    if (full) {
      heapBytes = process.memoryUsage().heapUsed;
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  return () => heapBytes;
}
