import type { ServerResponse } from "node:http";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Request, Response } from "../../http/body.ts";
import type { LingerLimits } from "../../http/linger.ts";
import { openOperationsPort, type ProbeResponse } from "../../http/operations-port.ts";
import type { Pool } from "../upstream/pool.ts";

/** The operations port: `/live`, `/ready` and `/metrics`. */
export interface Operations extends AsyncDisposable {
  readonly url: string;
  /** Counts a request from now until its response is sent. */
  count(request: Request, response: Response): void;
  /** Counts a reload. */
  reloaded(ok: boolean): void;
  /** Makes `/ready` return 503, so that load balancers stop sending requests. */
  drain(): void;
}

/** The address of the operations port, and the limits for its clients. */
export interface OperationsOptions {
  readonly host: string;
  readonly port: number;
  readonly limits: LingerLimits;
}

/**
 * Opens the operations port. `/live` is 200 while the program runs; `/ready` is 200 while at least one upstream address
 * accepts calls, and lists all of them in its body; `/metrics` is for Prometheus.
 *
 * @throws if the port is in use or not permitted.
 */
export async function openOperations(pool: Pool, options: OperationsOptions): Promise<Operations> {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: "gateway_requests_total",
    help: "Finished requests by HTTP method and status; status 0 if the client disconnected first",
    labelNames: ["method", "status"],
    registers,
  });
  const seconds = new Histogram({
    name: "gateway_request_duration_seconds",
    help: "Time from the head of a request to the end of its response",
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60],
    registers,
  });
  const inFlight = new Gauge({
    name: "gateway_requests_in_flight",
    help: "Requests without a complete response",
    registers,
  });
  const reloads = new Counter({
    name: "gateway_reloads_total",
    help: "Attempts to reload changed files",
    labelNames: ["result"],
    registers,
  });
  new Gauge({
    name: "gateway_upstream_addresses",
    help: "Addresses of the upstream by state",
    labelNames: ["state"],
    registers,
    collect() {
      this.reset();
      for (const state of ["ready", "connecting", "not-serving", "unreachable"]) this.set({ state }, 0);
      for (const { state } of pool.states()) this.inc({ state });
    },
  });
  let draining = false;

  const probe = (path: string): ProbeResponse => {
    switch (path) {
      case "/live":
        return { status: 200, body: { status: "live" } };
      case "/ready": {
        const upstream = pool.states();
        const ready = !draining && upstream.some(({ state }) => state === "ready");
        const status = draining ? "stopping" : ready ? "ready" : "upstream unavailable";
        return { status: ready ? 200 : 503, body: { status, upstream } };
      }
      default:
        return { status: 404, body: { error: "not found; this port serves /live, /ready and /metrics" } };
    }
  };
  const opened = await openOperationsPort({ ...options, registry, probe });
  return {
    url: opened.url,
    count(request, response) {
      const end = seconds.startTimer();
      inFlight.inc();
      (response as ServerResponse).once("close", () => {
        const { writableFinished, statusCode } = response as ServerResponse;
        end();
        inFlight.dec();
        requests.inc({ method: knownMethod(request.method), status: writableFinished ? statusCode : 0 });
      });
    },
    reloaded: (ok) => reloads.inc({ result: ok ? "served" : "refused" }),
    drain() {
      draining = true;
    },
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      registry.clear();
    },
  };
}

/** Maps unknown methods to one label, so that clients cannot create time series. */
function knownMethod(method: string | undefined): string {
  return /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method ?? "") ? (method ?? "") : "other";
}
