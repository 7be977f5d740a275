/**
 * Runs the work now and returns a function that returns its result or rethrows its error. For work that must precede a
 * transaction but is needless if that transaction finds a stored response.
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
