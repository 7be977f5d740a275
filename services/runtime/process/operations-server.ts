import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Registry } from "prom-client";
import { type LingerLimits, lingeringResponse } from "../../../gateway/http/linger.ts";
import type { Clock } from "../values/clock.ts";
import type { CheckRunner, CheckState } from "./check-runner.ts";
import type { Lifecycle } from "./lifecycle.ts";

export interface OperationsOptions {
  readonly lifecycle: Lifecycle;
  readonly checks: CheckRunner;
  readonly registry: Registry;
  readonly clock: Clock;
  /** How long rejected clients may continue to send. Default `defaultServerLimits`. */
  readonly limits?: LingerLimits;
}

/**
 * Serves `/live`, `/ready`, `/probe/{name}` and `/metrics`; returns false for any other path. Can also be placed in
 * front of the main port on platforms with a single port.
 *
 * Responses come from memory; no probe calls a dependency.
 */
export type OperationsHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/** The operations port. */
export interface OperationsServer extends AsyncDisposable {
  /** Starts listening and returns the port. Port 0 selects a free one. */
  listen(address: { host: string; port: number }): Promise<number>;
}

/** Above this value one percent of all timers is late enough for callers to notice. */
const slowEventLoopMs = 200;

export function createOperationsHandler(options: OperationsOptions): OperationsHandler {
  const { lifecycle, checks, registry, clock } = options;
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
      const name = path.slice("/probe/".length);
      const state = ready().get(name);
      if (state === undefined) {
        return { status: 404, body: { status: "error", checks: {}, timestamp: clock.now().toISOString() } };
      }
      return probeAnswer(new Map([[name, state]]), state.status === "fail" ? 422 : 200, clock);
    }
    return undefined;
  };

  return (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const result = path === "/metrics" ? undefined : answer(path);
    if (result === undefined && path !== "/metrics") {
      return false;
    }
    response.setHeader("cache-control", "no-store");
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
    } else if (result === undefined) {
      registry.metrics().then(
        (text) => response.writeHead(200, { "content-type": registry.contentType }).end(text),
        () => response.writeHead(500).end(),
      );
    } else {
      response.writeHead(result.status, { "content-type": "application/json" }).end(JSON.stringify(result.body));
    }
    return true;
  };
}

export function createOperationsServer(options: OperationsOptions): OperationsServer {
  const handle = createOperationsHandler(options);
  const server = createServer({ ServerResponse: lingeringResponse(options.limits) }, (request, response) => {
    if (!handle(request, response)) {
      response.writeHead(404, { "content-type": "application/json" }).end('{"status":"error"}');
    }
  });
  return {
    async listen({ host, port }) {
      server.listen(port, host);
      await once(server, "listening");
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : port;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
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
