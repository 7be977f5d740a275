/** Counts open resources per key, such as a tenant's streams. */
export interface Slots {
  readonly limit: number;
  /** Takes a slot; undefined if none is free. Returns its idempotent release function. */
  take(key: string): (() => void) | undefined;
}

export function createSlots(limit: number): Slots {
  const open = new Map<string, number>();
  return {
    limit,
    take(key) {
      const count = open.get(key) ?? 0;
      if (count >= limit) {
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
