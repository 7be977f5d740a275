import type { Code } from "@connectrpc/connect";
import { Gauge, Histogram, type Registry } from "prom-client";
import { codeName } from "../../../gateway/call/code-name.ts";

/**
 * Server metrics of OpenTelemetry's RPC conventions, with Prometheus names:
 *
 * `rpc_server_call_duration_seconds{rpc_system_name, rpc_method, rpc_response_status_code}` and
 * `rpc_server_active_calls{rpc_method}`.
 */
export interface RpcMetrics {
  /** Records the start of a call. The returned function must be called once at its end; `code` undefined means OK. */
  begin(system: string, method: string): (code: Code | undefined) => void;
}

const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Registers the metrics in `registry`. Once per registry. */
export function createRpcMetrics(registry: Registry): RpcMetrics {
  const duration = new Histogram({
    name: "rpc_server_call_duration_seconds",
    help: "Duration of RPCs that were served, in seconds.",
    labelNames: ["rpc_system_name", "rpc_method", "rpc_response_status_code"],
    buckets: durationBuckets,
    registers: [registry],
  });
  const active = new Gauge({
    name: "rpc_server_active_calls",
    help: "RPCs that are being served.",
    labelNames: ["rpc_method"],
    registers: [registry],
  });
  const durations = new Map<string, Histogram.Internal<string>>();
  const actives = new Map<string, Gauge.Internal<string>>();

  return {
    begin(system, method) {
      const start = performance.now();
      const activeCalls = cached(actives, method, () => active.labels(method));
      activeCalls.inc();
      return (code) => {
        activeCalls.dec();
        const status = codeName(code);
        const key = `${system} ${method} ${status}`;
        cached(durations, key, () => duration.labels(system, method, status)).observe(
          (performance.now() - start) / 1000,
        );
      };
    },
  };
}

/** Caches the labelled child under one string, because prom-client hashes all labels on each use. */
function cached<T>(children: Map<string, T>, key: string, make: () => T): T {
  let child = children.get(key);
  if (child === undefined) {
    child = make();
    children.set(key, child);
  }
  return child;
}
