import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImplSpec } from "@connectrpc/connect";
import { createHealthService } from "../../grpc/health.ts";
import type { Pool } from "../upstream/pool.ts";

/** `grpc.health.v1.Health` of the program: SERVING while an upstream address accepts calls. */
export interface PoolHealth extends Disposable {
  /** The health service for the names of these services, which replace the previous ones. */
  serving(services: readonly DescService[]): ServiceImplSpec;
  /** Reports NOT_SERVING from now on. */
  drain(): void;
}

const lookEveryMs = 250;

/** Tracks the state of the upstream's addresses. */
export function watchPool(pool: Pool): PoolHealth {
  let names: readonly string[] = [];
  const { spec, setServing } = createHealthService(() => names);
  let wasReady = false;
  const look = (): void => {
    const isReady = pool.states().some(({ state }) => state === "ready");
    if (isReady !== wasReady) setServing(isReady);
    wasReady = isReady;
  };
  const timer = setInterval(look, lookEveryMs).unref();
  return {
    serving(services) {
      names = services.map(({ typeName }) => typeName);
      look();
      return spec;
    },
    drain() {
      clearInterval(timer);
      setServing(false);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
