/** One round's work. */
export interface Driven {
  readonly seconds: number;
  /** Of each call. */
  readonly latenciesMs: readonly number[];
}

export interface Load {
  readonly concurrency: number;
  readonly count: number;
  /** Begins no call after that, so that a slow or busy machine does not take all day. */
  readonly seconds?: number;
}

/** Calls `count` times, `concurrency` at once, each worker beginning its next call when its last has ended. */
export async function drive(
  { concurrency, count, seconds = Number.POSITIVE_INFINITY }: Load,
  call: (nth: number) => Promise<unknown>,
): Promise<Driven> {
  const latenciesMs: number[] = [];
  let next = 0;
  const begin = performance.now();
  const worker = async () => {
    while (next < count && performance.now() - begin < seconds * 1000) {
      const nth = next++;
      const before = performance.now();
      await call(nth);
      latenciesMs.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  return { seconds: (performance.now() - begin) / 1000, latenciesMs };
}
