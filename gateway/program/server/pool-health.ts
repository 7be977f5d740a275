import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImplSpec } from "@connectrpc/connect";
import { createHealthService } from "../../grpc/health.ts";
import type { Pool } from "../upstream/pool.ts";

/** `grpc.health.v1.Health` of the program: it serves while an address of the upstream takes calls. */
export interface PoolHealth extends Disposable {
  /** The service, which from now on knows the names of these services. */
  serving(services: readonly DescService[]): ServiceImplSpec;
  /** From now on nothing is served. */
  drain(): void;
}

const lookEveryMs = 250;

/** Follows the state of the upstream's addresses. */
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
