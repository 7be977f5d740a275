import { monitorEventLoopDelay } from "node:perf_hooks";
import {
  type OperationsPort,
  type OperationsPortOptions,
  openOperationsPort,
  type ProbeResponse,
} from "../../../gateway/http/listener/operations-port.ts";
import type { Clock } from "../values/clock.ts";
import type { CheckRunner, CheckState } from "./check-runner.ts";
import type { Lifecycle } from "./lifecycle.ts";

export interface ProbeOptions {
  readonly lifecycle: Lifecycle;
  readonly checks: CheckRunner;
  readonly clock: Clock;
}

export interface OperationsOptions extends Omit<OperationsPortOptions, "probe">, ProbeOptions {}

/** Above this value one percent of all timers is late enough for callers to notice. */
const slowEventLoopMs = 200;

/** Opens the operations port: `/metrics` and the probes of {@link createProbes}. */
export function openOperations(options: OperationsOptions): Promise<OperationsPort> {
  const { lifecycle, checks, clock, ...port } = options;
  return openOperationsPort({ ...port, probe: createProbes({ lifecycle, checks, clock }) });
}

/**
 * Creates the probes `/live`, `/ready` and `/probe/{name}`; any other path is 404. The name is that of a check, such as
 * `order-database`, or without the service's name that of each service's, `database`. Responses come from memory; no
 * probe calls a dependency.
 */
export function createProbes({ lifecycle, checks, clock }: ProbeOptions): (path: string) => ProbeResponse {
  const eventLoop = monitorEventLoopDelay({ resolution: 20 });
  eventLoop.enable();

  const live = () => {
    const elapsedMs = Math.round(eventLoop.percentile(99) / 1000) / 1000;
    const slow = elapsedMs > slowEventLoopMs;
    const state = { policy: "degraded", status: slow ? "warn" : "pass", elapsedMs } as const;
    return new Map<string, CheckState>([["event-loop", slow ? { ...state, error: "the event loop is slow" } : state]]);
  };
  const ready = () => new Map([...checks.states(), ["lifecycle", lifecycleCheck(lifecycle)]]);

  const answer = (path: string): Answer | undefined => {
    if (path === "/live") {
      return probeAnswer(live(), lifecycle.state === "stopped" ? 503 : 200, clock);
    }
    if (path === "/ready") {
      const states = ready();
      return probeAnswer(states, worst(states) === "error" ? 503 : 200, clock);
    }
    if (path.startsWith("/probe/")) {
      const found = named(ready(), path.slice("/probe/".length));
      if (found.size === 0) {
        return undefined;
      }
      return probeAnswer(found, [...found.values()].some(({ status }) => status === "fail") ? 422 : 200, clock);
    }
    return undefined;
  };

  const unknown = () => ({ status: 404, body: { status: "error", checks: {}, timestamp: clock.now().toISOString() } });
  return (path) => answer(path) ?? unknown();
}

/** The check of this name, or the checks of all services that are called so after the service's name. */
function named(states: ReadonlyMap<string, CheckState>, name: string): ReadonlyMap<string, CheckState> {
  const ofServices = [...states].filter(([full]) => full.slice(full.indexOf("-") + 1) === name && full !== name);
  const state = states.get(name);
  return new Map(state === undefined ? ofServices : [[name, state]]);
}

interface Answer {
  readonly status: number;
  readonly body: {
    readonly status: "ok" | "warn" | "error";
    readonly checks: Record<string, { status: CheckState["status"]; elapsed_ms: number; error?: string }>;
    readonly timestamp: string;
  };
}

function probeAnswer(states: ReadonlyMap<string, CheckState>, status: number, clock: Clock): Answer {
  const checks = [...states].map(([name, { status, elapsedMs, error }]) => [
    name,
    { status, elapsed_ms: elapsedMs, ...(error !== undefined && { error }) },
  ]);
  return {
    status,
    body: { status: worst(states), checks: Object.fromEntries(checks), timestamp: clock.now().toISOString() },
  };
}

/** `error` if a critical check fails; any other fail, and any warn, is a `warn`. */
function worst(states: ReadonlyMap<string, CheckState>): "ok" | "warn" | "error" {
  const all = [...states.values()];
  if (all.some(({ status, policy }) => status === "fail" && policy === "critical")) {
    return "error";
  }
  return all.every(({ status }) => status === "pass") ? "ok" : "warn";
}

function lifecycleCheck({ state }: Lifecycle): CheckState {
  const common = { policy: "critical", elapsedMs: 0 } as const;
  return state === "ready" ? { ...common, status: "pass" } : { ...common, status: "fail", error: state };
}
