/**
 * Does the work now, and gives a function that answers with its result or throws what it threw. For what must be done
 * before a transaction whose stored answer may make it needless.
 */
export async function attempt<T>(work: () => Promise<T>): Promise<() => T> {
  try {
    const result = await work();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
