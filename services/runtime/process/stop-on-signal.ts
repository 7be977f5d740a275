import type { Lifecycle } from "./lifecycle.ts";

/** The part of `process` that is used, replaceable in tests. */
export interface SignalledProcess {
  on(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
  exit(code: number): void;
}

/**
 * Drains on SIGTERM and SIGINT and then exits with 0. A second signal exits immediately with 1. Called at the end of
 * `main.ts`.
 */
export function stopOnSignal(lifecycle: Lifecycle, target: SignalledProcess = process): void {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    target.on(signal, () => {
      if (lifecycle.state === "draining") {
        target.exit(1);
        return;
      }
      void lifecycle.shutdown(signal).then(() => target.exit(0));
    });
  }
}
