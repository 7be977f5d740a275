/** What `within` answers when the time was over first. */
export const overdue: unique symbol = Symbol("overdue");

/**
 * The result of `work`, or `overdue` after `ms`. What `work` does afterwards is of no consequence. Leaves no timer
 * behind.
 *
 * @throws what `work` throws in time
 */
export async function within<T>(ms: number, work: () => Promise<T> | T): Promise<T | typeof overdue> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<typeof overdue>((resolve) => {
      timer = setTimeout(resolve, ms, overdue);
    });
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}
