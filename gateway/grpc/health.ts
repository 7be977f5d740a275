import { Code, ConnectError, createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../../gen/health/v1/health_pb.js";

/** `grpc.health.v1.Health` over one switch: all services of a server are ready, or none is. */
export interface HealthService {
  readonly spec: ServiceImplSpec;
  /** Watchers hear of a change at once. */
  setServing(serving: boolean): void;
}

/**
 * Health for the services of these names, which may change, and for the server as a whole under the empty name. Begins
 * as NOT_SERVING.
 * For a name that is not served, Check is NOT_FOUND and Watch tells SERVICE_UNKNOWN and goes on watching.
 */
export function createHealthService(serviceNames: readonly string[] | (() => readonly string[])): HealthService {
  const names = (): readonly string[] => ["", ...(typeof serviceNames === "function" ? serviceNames() : serviceNames)];
  let status = ServingStatus.NOT_SERVING;
  const watchers = new Set<() => void>();

  const statusOf = (name: string) => (names().includes(name) ? status : undefined);

  const implementation = {
    check({ service }) {
      const known = statusOf(service);
      if (known === undefined) {
        throw new ConnectError(`${service} is not served here`, Code.NotFound);
      }
      return { status: known };
    },
    list: () => ({ statuses: Object.fromEntries(names().map((name) => [name, { status }])) }),
    async *watch({ service }, { signal }) {
      let told: ServingStatus | undefined;
      while (!signal.aborted) {
        const current = statusOf(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (current !== told) {
          told = current;
          yield { status: current };
        } else {
          await change(watchers, signal);
        }
      }
    },
  } satisfies ServiceImpl<typeof Health>;

  return {
    spec: createServiceImplSpec<typeof Health>(Health, implementation),
    setServing(serving) {
      status = serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
      for (const wake of watchers) {
        wake();
      }
    },
  };
}

/** Resolves with the next change of status, or when the watcher leaves. */
function change(watchers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = () => {
      watchers.delete(wake);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    watchers.add(wake);
    signal.addEventListener("abort", wake);
  });
}
