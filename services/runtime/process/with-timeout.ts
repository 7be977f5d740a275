/** Result of `within` on a timeout. */
export const overdue: unique symbol = Symbol("overdue");

/**
 * Returns the result of `work`, or `overdue` after `ms`. A later result of `work` is ignored. Leaves no timer behind.
 *
 * @throws the error of `work`, if in time
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
