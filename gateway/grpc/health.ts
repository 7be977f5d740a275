import { Code, ConnectError, createServiceImplSpec, type ServiceImpl, type ServiceImplSpec } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../../gen/health/v1/health_pb.js";

/** `grpc.health.v1.Health` with a single status: all services of a server are ready, or none is. */
export interface HealthService {
  readonly spec: ServiceImplSpec;
  /** Notifies watchers immediately. */
  setServing(serving: boolean): void;
}

/**
 * Creates the health service for these service names, which may change, and for the server as a whole under the empty
 * name. Starts as NOT_SERVING. For an unknown name, Check returns NOT_FOUND, and Watch reports SERVICE_UNKNOWN and
 * continues.
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
        throw new ConnectError(`unknown service ${service}`, Code.NotFound);
      }
      return { status: known };
    },
    list: () => ({ statuses: Object.fromEntries(names().map((name) => [name, { status }])) }),
    async *watch({ service }, { signal }) {
      let reported: ServingStatus | undefined;
      while (!signal.aborted) {
        const current = statusOf(service) ?? ServingStatus.SERVICE_UNKNOWN;
        if (current !== reported) {
          reported = current;
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

/** Resolves on the next status change, or when the watcher disconnects. */
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
