/** Counts open resources per key, such as a tenant's streams. */
export interface Slots {
  readonly limit: number;
  /** Takes a slot; undefined if none is free. Returns its idempotent release function. */
  take(key: string): (() => void) | undefined;
}

/** Slots in this process's memory. A limit that is a function is read at each use; open resources are kept. */
export function createSlots(limit: number | (() => number)): Slots {
  const open = new Map<string, number>();
  const currentLimit = typeof limit === "function" ? limit : () => limit;
  return {
    get limit() {
      return currentLimit();
    },
    take(key) {
      const count = open.get(key) ?? 0;
      if (count >= currentLimit()) {
        return undefined;
      }
      open.set(key, count + 1);
      let taken = true;
      return () => {
        if (!taken) {
          return;
        }
        taken = false;
        const left = (open.get(key) ?? 1) - 1;
        if (left > 0) {
          open.set(key, left);
        } else {
          open.delete(key);
        }
      };
    },
  };
}
