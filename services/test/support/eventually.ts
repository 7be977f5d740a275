import { expect } from "@jest/globals";

/** Expects that `read` returns the expected value within thirty seconds, or within the given time. */
export async function eventually<T>(read: () => Promise<T>, expected: T, withinMs = 30_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while ((await read()) !== expected && performance.now() < giveUpAt) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  expect(await read()).toBe(expected);
}
