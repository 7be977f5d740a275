import type { Http2Session } from "node:http2";
import { constants, monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { followHttp2Sessions } from "../../../gateway/telemetry/http2-sessions.ts";
import { countedBy, gcKindOf } from "../../../gateway/telemetry/process-metrics.ts";
import { type CreationSites, callSite } from "./creation-sites.ts";
import { describePending, pendingCount } from "./pending.ts";

/** A resource that may leak. */
export interface LeakSource {
  /** The current amount. Must be cheap. */
  read(): number;
  /** What is behind the amount: types with their counts, and where sampled ones were created. */
  explain?(): string;
}

export type LeakSources = Readonly<Record<string, LeakSource>>;

/** Emitters with too many listeners, as Node warns of them; at most this many are remembered. */
const maxWarnings = 20;

/** What is watched in every process. `sites` is asked for an explanation only once something is rising. */
export function processSources(sites: CreationSites): LeakSources {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const sessions = followHttp2Sessions();
  const created = (...types: string[]) => sites.top(types).map(([site, count]) => `${count} created at ${site}`);
  const listeners = watchListeners();
  return {
    heap_after_gc_bytes: { read: watchHeap() },
    event_loop_delay_ms: {
      read() {
        const ms = Math.round(delay.percentile(99) / 1e6);
        delay.reset();
        return ms;
      },
    },
    active_handles: {
      read: () => handles().length,
      explain: () =>
        [
          ...ranked(handles()),
          ...created("TCPWRAP", "PIPEWRAP", "TLSWRAP", "UDPWRAP", "PROCESSWRAP", "WORKER", "FSEVENTWRAP"),
        ].join(", "),
    },
    timers: {
      read: () => process.getActiveResourcesInfo().filter((type) => type === "Timeout").length,
      explain: () => created("Timeout").join(", "),
    },
    http2_sessions: {
      read: () => sessions.open.server.size + sessions.open.client.size,
      explain: () => [...ranked(peersOf(sessions.open)), ...created("TCPWRAP", "TLSWRAP")].join(", "),
    },
    pending_promises: { read: pendingCount, explain: describePending },
    crowded_emitters: { read: () => listeners.length, explain: () => listeners.slice(-3).join(", ") },
  };
}

const handles = () => process.getActiveResourcesInfo().filter((type) => type !== "Timeout" && type !== "Immediate");

/** `TCPSocketWrap ×40`, the most frequent first. */
function ranked(names: readonly string[]): string[] {
  const counts = [...countedBy(names)].sort(([, a], [, b]) => b - a);
  return counts.slice(0, 3).map(([name, count]) => `${name} ×${count}`);
}

function peersOf(open: Readonly<Record<"server" | "client", ReadonlyMap<Http2Session, number>>>): string[] {
  return (["server", "client"] as const).flatMap((side) =>
    [...open[side].keys()].map(
      ({ socket }) => `${side === "client" ? "client to" : "server for"} ${socket.remoteAddress}`,
    ),
  );
}

/** Node warns once of each emitter and event with more listeners than its limit, and says where the last was added. */
function watchListeners(): string[] {
  const crowded: string[] = [];
  process.on("warning", (warning: Error & { emitter?: object; type?: string | symbol; count?: number }) => {
    if (warning.name === "MaxListenersExceededWarning") {
      const emitter = warning.emitter?.constructor.name ?? "an emitter";
      crowded.push(
        `${warning.count} listeners of ${String(warning.type)} on ${emitter}, the last at ${callSite(warning.stack)}`,
      );
      crowded.splice(0, crowded.length - maxWarnings);
    }
  });
  return crowded;
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
