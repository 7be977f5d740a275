import { counter } from "../../../gateway/telemetry/metric-spec.ts";
import type { Check } from "../process/checks.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import type { ReadOutcome } from "./read-through.ts";

/** Counts the reads of a process's caches. */
export interface ReadReport {
  readonly onRead: (cache: string, outcome: ReadOutcome) => void;
  /** Warns if, since its last run, there were 1,000 reads or more of which fewer than half found a value. */
  readonly hitRate: Check;
}

const fewReads = 1_000;
const lowRate = 0.5;

/** Counts reads as metrics, and for a check of the hit rate. A read that loads more than once counts each load. */
export function reportReads(): ReadReport {
  const reads = counter(meter(), runtimeMetrics.cacheReads);
  let [hits, loads] = [0, 0];
  return {
    onRead(cache, outcome) {
      reads.add(1, { cache, outcome });
      outcome === "loaded" ? (loads += 1) : (hits += 1);
    },
    hitRate: {
      policy: "degraded",
      async run() {
        const all = hits + loads;
        const rate = hits / all;
        [hits, loads] = [0, 0];
        return all < fewReads || rate >= lowRate
          ? undefined
          : { status: "warn", error: `${Math.round(rate * 100)} % of ${all} reads found a cached value` };
      },
    },
  };
}
