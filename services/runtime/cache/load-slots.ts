/** Runs at most `max` functions at a time, the others in their order. */
export function createLoadSlots(max: number): <T>(run: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (running >= max) {
      // The one that ends hands its slot over.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      next === undefined ? (running -= 1) : next();
    }
  };
}
