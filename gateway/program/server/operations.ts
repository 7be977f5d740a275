import type { ServerResponse } from "node:http";
import type { Request, Response } from "../../http/body/request.ts";
import type { LingerLimits } from "../../http/listener/linger.ts";
import { openOperationsPort, type ProbeResponse } from "../../http/listener/operations-port.ts";
import type { Metrics } from "../../telemetry/create-metrics.ts";
import { counter, histogram, observe, upDownCounter } from "../../telemetry/metric-spec.ts";
import { countedBy } from "../../telemetry/process-metrics.ts";
import type { Pool } from "../upstream/pool.ts";
import { gatewayMetrics } from "./metrics.ts";

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
  readonly metrics: Metrics;
}

/**
 * Opens the operations port. `/live` is 200 while the program runs; `/ready` is 200 while at least one upstream address
 * accepts calls, and lists all of them in its body; `/metrics` is for Prometheus.
 *
 * @throws if the port is in use or not permitted.
 */
export async function openOperations(pool: Pool, options: OperationsOptions): Promise<Operations> {
  const { metrics } = options;
  const { meter } = metrics;
  const requests = counter(meter, gatewayMetrics.requests);
  const seconds = histogram(meter, gatewayMetrics.duration);
  const inFlight = upDownCounter(meter, gatewayMetrics.inFlight);
  const reloads = counter(meter, gatewayMetrics.reloads);
  for (const result of ["served", "refused"]) reloads.add(0, { result });
  await using opening = new AsyncDisposableStack();
  opening.use(
    observe(meter, gatewayMetrics.addresses, () => {
      const counts = countedBy(pool.states().map(({ state }) => state));
      const states = ["ready", "connecting", "not-serving", "unreachable"];
      return states.map((state) => [counts.get(state) ?? 0, { state }]);
    }),
  );
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
  const opened = opening.use(await openOperationsPort({ ...options, probe }));
  const resources = opening.move();
  return {
    url: opened.url,
    count(request, response) {
      const begin = performance.now();
      inFlight.add(1);
      (response as ServerResponse).once("close", () => {
        const { writableFinished, statusCode } = response as ServerResponse;
        seconds.record((performance.now() - begin) / 1000);
        inFlight.add(-1);
        requests.add(1, { method: knownMethod(request.method), status: String(writableFinished ? statusCode : 0) });
      });
    },
    reloaded: (ok) => reloads.add(1, { result: ok ? "served" : "refused" }),
    drain() {
      draining = true;
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Maps unknown methods to one label, so that clients cannot create time series. */
function knownMethod(method: string | undefined): string {
  return /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/.test(method ?? "") ? (method ?? "") : "other";
}
