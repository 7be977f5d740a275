import { setTimeout as sleep } from "node:timers/promises";
import type { FunctionHost } from "../../../services/host/function-host.ts";

/** The work that a call leaves: events, sagas, callbacks. */
export interface InvocationWork {
  /** Starts to run what commits leave from now on. */
  begin(): void;
  /**
   * Runs the rest, for at most `budgetMs`, and stops. Nothing is in progress after it, unless it takes longer than
   * `graceMs` to end; its leases then expire while the process is suspended. Returns false in that case.
   */
  settle(budgetMs: number, graceMs: number): Promise<boolean>;
}

/** How often a call in progress looks for work that became due, after its first commit. */
const lookMs = 250;

/**
 * Runs due work during a call and after its response, and never in between: the process may be suspended then, and what
 * it holds would hold up others. A call that commits nothing runs nothing.
 */
export function createInvocationWork({ work, onWork, log }: FunctionHost): InvocationWork {
  let isDue = false;
  let wake = () => {};
  onWork(() => {
    isDue = true;
    wake();
  });
  let current: { readonly stop: AbortController; readonly close: () => void; readonly done: Promise<void> } | undefined;

  const run = async (signal: AbortSignal, closed: Promise<void>, isOpen: () => boolean) => {
    const first = Promise.withResolvers<void>();
    wake = first.resolve;
    await Promise.race([first.promise, closed]);
    while ((isDue || isOpen()) && !signal.aborted) {
      isDue = false;
      await work.run(signal).catch((err: unknown) => log.warn({ err }, "due work is left to the scheduled run"));
      if (!isDue && isOpen()) {
        await Promise.race([closed, sleep(lookMs)]);
      }
    }
  };

  return {
    begin() {
      const stop = new AbortController();
      const closing = Promise.withResolvers<void>();
      let isOpen = true;
      const close = () => {
        isOpen = false;
        closing.resolve();
      };
      current = { stop, close, done: run(stop.signal, closing.promise, () => isOpen) };
    },
    async settle(budgetMs, graceMs) {
      if (current === undefined) {
        return true;
      }
      const { stop, close, done } = current;
      current = undefined;
      close();
      const ended = done.then(() => true);
      const timer = setTimeout(() => stop.abort(), Math.max(0, budgetMs));
      const hasEnded = await Promise.race([ended, sleep(Math.max(0, budgetMs + graceMs), false, { ref: false })]);
      clearTimeout(timer);
      stop.abort();
      return hasEnded;
    },
  };
}
