/** Counts what is open under a key, such as streams of a tenant. */
export interface Slots {
  readonly limit: number;
  /** Takes a slot; undefined where none is free. The result gives it back, and may be called again. */
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
