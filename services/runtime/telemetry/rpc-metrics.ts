import type { Code } from "@connectrpc/connect";
import type { Attributes } from "@opentelemetry/api";
import { codeName } from "../../../gateway/call/code-name.ts";
import { histogram, upDownCounter } from "../../../gateway/telemetry/metric-spec.ts";
import { meter, runtimeMetrics } from "./metrics.ts";

/** Server metrics of OpenTelemetry's RPC conventions. */
export interface RpcMetrics {
  /** Records the start of a call. The returned function must be called once at its end; `code` undefined means OK. */
  begin(system: string, method: string): (code: Code | undefined) => void;
}

export function createRpcMetrics(): RpcMetrics {
  const duration = histogram(meter(), runtimeMetrics.rpcDuration);
  const active = upDownCounter(meter(), runtimeMetrics.rpcActive);
  return {
    begin(system, method) {
      const start = performance.now();
      const called: Attributes = { "rpc.method": method };
      active.add(1, called);
      return (code) => {
        active.add(-1, called);
        duration.record((performance.now() - start) / 1000, {
          "rpc.system.name": system,
          "rpc.method": method,
          "rpc.response.status_code": codeName(code),
        });
      };
    },
  };
}
