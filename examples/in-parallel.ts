/** Runs `work` for each element with limited concurrency, and reports progress. Stops at the first failure. */
export async function inParallel<T>(
  elements: readonly T[],
  atOnce: number,
  work: (element: T) => Promise<void>,
  onProgress: (done: number) => void = () => {},
): Promise<void> {
  const rest = elements.values();
  let done = 0;
  const worker = async () => {
    for (const element of rest) {
      await work(element);
      done += 1;
      onProgress(done);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
