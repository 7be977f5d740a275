import { setTimeout as sleep } from "node:timers/promises";

/**
 * Resolves as soon as the condition holds, looking every few milliseconds.
 *
 * @throws when it does not hold within `timeoutMs`, 30 s unless given
 */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) {
      throw new Error(`waited ${timeoutMs} ms in vain for: ${condition}`);
    }
    await sleep(5);
  }
}
