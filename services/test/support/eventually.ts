import { expect } from "@jest/globals";

/** Expects that what is read becomes what is expected, within thirty seconds unless given. */
export async function eventually<T>(read: () => Promise<T>, expected: T, withinMs = 30_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  while ((await read()) !== expected && performance.now() < giveUpAt) {
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  expect(await read()).toBe(expected);
}
