/**
 * Wakes waiters of this process that wait on a name, such as an order's id. Best effort: other processes change the
 * same rows, so waiters must also poll.
 */
export interface ChangeNotifier {
  notify(name: string): void;
  /** Resolves at the next `notify` of the name, after `ms`, or when the signal aborts, whichever comes first. */
  wait(name: string, ms: number, signal: AbortSignal): Promise<void>;
}

/** The name under which growth of a tenant's feed is notified. */
export function feedSignal(tenant: string): string {
  return `feed/${tenant}`;
}

export function createChangeNotifier(): ChangeNotifier {
  const waiters = new Map<string, Set<() => void>>();
  return {
    notify(name) {
      for (const wake of waiters.get(name) ?? []) {
        wake();
      }
    },
    wait(name, ms, signal) {
      return new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const wake = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", wake);
          const others = waiters.get(name);
          others?.delete(wake);
          if (others?.size === 0) {
            waiters.delete(name);
          }
          resolve();
        };
        const timer = setTimeout(wake, ms);
        signal.addEventListener("abort", wake);
        waiters.set(name, (waiters.get(name) ?? new Set()).add(wake));
      });
    },
  };
}
