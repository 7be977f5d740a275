import type { AnyTransaction } from "./any-transaction.ts";

type AfterCommit = () => void;

const waiting = new WeakMap<object, AfterCommit[]>();

/**
 * Calls `callback` once the transaction has committed, and never if it does not: for waking what works on the rows that
 * it wrote. It is only a hint, as the process may die in between, or the answer to COMMIT be lost; so whoever is woken
 * also looks by himself now and then. The callback must not throw.
 */
export function afterCommit(trx: AnyTransaction, callback: AfterCommit): void {
  const callbacks = waiting.get(trx);
  if (callbacks === undefined) {
    waiting.set(trx, [callback]);
  } else {
    callbacks.push(callback);
  }
}

/** Calls what was left with {@link afterCommit}; for `transaction.ts` alone. */
export function committed(trx: AnyTransaction): void {
  for (const callback of waiting.get(trx) ?? []) {
    callback();
  }
  waiting.delete(trx);
}
