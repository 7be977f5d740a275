import { gauge as gaugeOf } from "../../../gateway/telemetry/metric-spec.ts";
import type { Logger } from "../telemetry/log.ts";
import { meter, runtimeMetrics } from "../telemetry/metrics.ts";
import type { Check } from "./checks.ts";
import { type CreationSites, createCreationSites } from "./creation-sites.ts";
import { type LeakSources, processSources } from "./leak-sources.ts";

export interface LeakOptions {
  /** Watched in addition to those of the process. */
  readonly sources?: LeakSources;
  /** Told of each new suspect. */
  readonly log?: Logger;
  /** Number of samples in the window. Default 60: ten minutes at the default interval. */
  readonly samples?: number;
  /** Sampling interval in milliseconds. Default 10,000. */
  readonly intervalMs?: number;
}

/** The window is divided into this many parts; the minimum of each must exceed that of the previous one. */
const parts = 4;
/** Smaller growth is noise. */
const minGrowth = 1.2;

/** Those of the process, which has one heap and one event loop however many hosts a test starts in it. */
let shared: { readonly sites: CreationSites; readonly sources: LeakSources } | undefined;

function ofProcess() {
  if (shared === undefined) {
    const sites = createCreationSites();
    shared = { sites, sources: processSources(sites) };
  }
  return shared;
}

/**
 * Creates a check for resources that keep growing. It warns and never fails, because a restart does not fix a leak. It
 * names each suspect with its value at the window's begin and end, its types with their counts, and where sampled ones
 * were created; the sampling begins when something has risen for half a window. An emitter with too many listeners is
 * named at once, as Node warns of it. The values are also the metric
 * `process_watched_resource`, and what is suspected is `docket_leak_suspect`.
 */
export function createLeakCheck(options: LeakOptions = {}): Check {
  const { samples = 60, intervalMs = 10_000 } = options;
  const { sites, sources: common } = ofProcess();
  const sources: LeakSources = { ...common, ...options.sources };
  const gauge = gaugeOf(meter(), runtimeMetrics.watchedResource);
  const suspect = gaugeOf(meter(), runtimeMetrics.leakSuspect);
  const history = new Map<string, number[]>();
  const known = new Set<string>();

  return {
    policy: "degraded",
    intervalMs,
    async run() {
      const suspects: string[] = [];
      let suspicious = false;
      for (const [name, { read, explain }] of Object.entries(sources)) {
        const value = read();
        gauge.record(value, { resource: name });
        const values = [...(history.get(name) ?? []), value].slice(-samples);
        history.set(name, values);
        const recent = values.slice(-Math.ceil(samples / 2));
        suspicious ||= recent.length * 2 >= samples && keepsRising(recent);
        const crowded = name === "crowded_emitters" && value > (values[0] ?? 0);
        const leaks = crowded || (values.length === samples && keepsRising(values));
        suspect.record(Number(leaks), { resource: name });
        if (leaks) {
          const details = explain?.() ?? "";
          const text = `${name} rose from ${values[0]} to ${value}${details === "" ? "" : `: ${details}`}`;
          suspects.push(text);
          if (!known.has(name)) {
            options.log?.warn({ resource: name, suspect: text }, "a resource keeps growing");
          }
          known.add(name);
        } else {
          known.delete(name);
        }
      }
      if (suspicious || suspects.length > 0) {
        sites.start();
      } else {
        sites.stop();
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
