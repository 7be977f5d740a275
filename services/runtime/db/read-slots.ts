/** Divides a number of concurrent reads fairly: each caller has a limit of its own, and further reads wait. */
export interface ReadSlots {
  /** Waits for a slot, first come, first served among callers below their limit. Rejects with the signal's reason. */
  take(caller: string, signal: AbortSignal): Promise<() => void>;
}

interface Waiting {
  readonly caller: string;
  begin(): void;
}

export function createReadSlots({ most, perCaller }: { readonly most: number; readonly perCaller: number }): ReadSlots {
  const held = new Map<string, number>();
  const waiting = new Set<Waiting>();
  let taken = 0;

  const isFree = (caller: string) => taken < most && (held.get(caller) ?? 0) < perCaller;

  const hold = (caller: string) => {
    taken += 1;
    held.set(caller, (held.get(caller) ?? 0) + 1);
    return () => release(caller);
  };

  const release = (caller: string) => {
    const left = (held.get(caller) ?? 0) - 1;
    taken -= 1;
    if (left > 0) {
      held.set(caller, left);
    } else {
      held.delete(caller);
    }
    for (const next of waiting) {
      if (isFree(next.caller)) {
        next.begin();
        return;
      }
    }
  };

  return {
    async take(caller, signal) {
      signal.throwIfAborted();
      if (isFree(caller)) {
        return hold(caller);
      }
      return new Promise((resolve, reject) => {
        const entry: Waiting = {
          caller,
          begin() {
            leave();
            resolve(hold(caller));
          },
        };
        const onAbort = () => {
          leave();
          reject(signal.reason);
        };
        const leave = () => {
          waiting.delete(entry);
          signal.removeEventListener("abort", onAbort);
        };
        waiting.add(entry);
        signal.addEventListener("abort", onAbort);
      });
    },
  };
}
