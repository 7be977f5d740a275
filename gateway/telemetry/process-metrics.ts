import { readdirSync } from "node:fs";
import { constants, monitorEventLoopDelay, PerformanceObserver, performance } from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import type { Meter } from "@opentelemetry/api";
import { followHttp2Sessions } from "./http2-sessions.ts";
import { histogram, type MetricSpecs, type Observed, observe } from "./metric-spec.ts";

const delay = (name: string, what: string) =>
  ({
    name: `nodejs.eventloop.delay.${name}`,
    type: "gauge",
    unit: "s",
    description: `${what} delay of the event loop since the last export, beyond the timer's 10 ms.`,
    attributes: [],
  }) as const;

/** Metrics of the process and of Node.js, with the names of OpenTelemetry's conventions where they have one. */
export const processMetrics = {
  cpuTime: {
    name: "process.cpu.time",
    type: "counter",
    unit: "s",
    description: "CPU time of the process.",
    attributes: ["cpu.mode"],
  },
  memory: {
    name: "process.memory.usage",
    type: "gauge",
    unit: "By",
    description: "Memory of the process in RAM.",
    attributes: [],
  },
  uptime: {
    name: "process.uptime",
    type: "gauge",
    unit: "s",
    description: "Time since the process started.",
    attributes: [],
  },
  fileDescriptors: {
    name: "process.unix.file_descriptor.count",
    type: "gauge",
    unit: "{file_descriptor}",
    description: "Open file descriptors, where the system lists them.",
    attributes: [],
  },
  delayMean: delay("mean", "Mean"),
  delayP50: delay("p50", "Median"),
  delayP99: delay("p99", "99th percentile of the"),
  delayMax: delay("max", "Longest"),
  utilization: {
    name: "nodejs.eventloop.utilization",
    type: "gauge",
    unit: "1",
    description: "Share of the time since the last export in which the event loop was busy.",
    attributes: [],
  },
  heapUsed: {
    name: "v8js.memory.heap.used",
    type: "gauge",
    unit: "By",
    description: "Used part of the heap.",
    attributes: ["v8js.heap.space.name"],
  },
  heapLimit: {
    name: "v8js.memory.heap.limit",
    type: "gauge",
    unit: "By",
    description: "Allocated size of the heap.",
    attributes: ["v8js.heap.space.name"],
  },
  gcDuration: {
    name: "v8js.gc.duration",
    type: "histogram",
    unit: "s",
    description: "Duration of garbage collections.",
    attributes: ["v8js.gc.type"],
    buckets: [0.001, 0.01, 0.1, 1],
  },
  resources: {
    name: "v8js.resource.active",
    type: "gauge",
    unit: "{resource}",
    description: "Resources that keep the event loop alive, such as sockets and timers.",
    attributes: ["v8js.resource.type"],
  },
  sessions: {
    name: "docket.http2.sessions",
    type: "gauge",
    unit: "{session}",
    description: "Open HTTP/2 sessions that have had a stream, accepted (server) or opened (client).",
    attributes: ["side"],
  },
} as const satisfies MetricSpecs;

const timerMs = 10;

/** Observes the process until it is disposed of. */
export function observeProcess(meter: Meter): Disposable {
  const stack = new DisposableStack();
  const own = processMetrics;
  const watch = (spec: Parameters<typeof observe>[1], read: () => Observed) => stack.use(observe(meter, spec, read));

  watch(own.cpuTime, () => {
    const { user, system } = process.cpuUsage();
    return [
      [user / 1e6, { "cpu.mode": "user" }],
      [system / 1e6, { "cpu.mode": "system" }],
    ];
  });
  watch(own.memory, () => [[process.memoryUsage.rss()]]);
  watch(own.uptime, () => [[process.uptime()]]);
  watch(own.fileDescriptors, fileDescriptors);
  watch(own.heapUsed, () => heapSpaces("space_used_size"));
  watch(own.heapLimit, () => heapSpaces("space_size"));
  watch(own.resources, () =>
    [...countedBy(process.getActiveResourcesInfo())].map(([type, count]) => [count, { "v8js.resource.type": type }]),
  );

  const sessions = stack.use(followHttp2Sessions());
  watch(own.sessions, () => [
    [sessions.open.server.size, { side: "server" }],
    [sessions.open.client.size, { side: "client" }],
  ]);

  const loop = monitorEventLoopDelay({ resolution: timerMs });
  loop.enable();
  stack.defer(() => loop.disable());
  const seconds = (nanos: number): Observed =>
    Number.isFinite(nanos) ? [[Math.max(0, nanos / 1e9 - timerMs / 1e3)]] : [];
  watch(own.delayMean, () => seconds(loop.mean));
  watch(own.delayP50, () => seconds(loop.percentile(50)));
  watch(own.delayP99, () => seconds(loop.percentile(99)));
  watch(own.delayMax, () => {
    const longest = seconds(loop.max);
    // Observed last, in the order of registration.
    loop.reset();
    return longest;
  });
  let utilization = performance.eventLoopUtilization();
  watch(own.utilization, () => {
    const since = performance.eventLoopUtilization(utilization);
    utilization = performance.eventLoopUtilization();
    return [[since.utilization]];
  });

  const durations = histogram(meter, own.gcDuration);
  const collections = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      durations.record(entry.duration / 1000, { "v8js.gc.type": gcTypes.get(gcKindOf(entry) ?? 0) ?? "other" });
    }
  });
  collections.observe({ entryTypes: ["gc"] });
  stack.defer(() => collections.disconnect());
  return stack;
}

const gcTypes: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);

/** The kind of a garbage collection, one of `constants.NODE_PERFORMANCE_GC_*`. */
export function gcKindOf(entry: object): number | undefined {
  const detail = "detail" in entry ? entry.detail : undefined;
  const kind = typeof detail === "object" && detail !== null && "kind" in detail ? detail.kind : undefined;
  return typeof kind === "number" ? kind : undefined;
}

function heapSpaces(field: "space_used_size" | "space_size"): Observed {
  return getHeapSpaceStatistics()
    .filter((space) => space.space_size > 0)
    .map((space) => [space[field], { "v8js.heap.space.name": space.space_name }]);
}

function fileDescriptors(): Observed {
  try {
    return [[readdirSync("/proc/self/fd").length]];
  } catch {
    return [];
  }
}

/** How many of each there are. */
export function countedBy(names: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
