/** Results of one round. */
export interface Driven {
  readonly seconds: number;
  /** Latency of each call. */
  readonly latenciesMs: readonly number[];
}

export interface Load {
  readonly concurrency: number;
  readonly count: number;
  /** Time limit after which no call is started, for slow or busy machines. */
  readonly seconds?: number;
}

/** Calls `count` times with `concurrency` workers, each starting its next call when the last has ended. */
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
