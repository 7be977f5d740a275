import type { AnyTransaction } from "./any-transaction.ts";

type AfterCommit = () => void;

const waiting = new WeakMap<object, AfterCommit[]>();

/**
 * Calls `callback` once the transaction has committed, and never if it does not: for waking workers on the written
 * rows. Best effort: the process may crash first, or the response to COMMIT be lost, so workers must also poll. The
 * callback must not throw.
 */
export function afterCommit(trx: AnyTransaction, callback: AfterCommit): void {
  const callbacks = waiting.get(trx);
  if (callbacks === undefined) {
    waiting.set(trx, [callback]);
  } else {
    callbacks.push(callback);
  }
}

/** Runs the callbacks of {@link afterCommit}; for `transaction.ts` only. */
export function committed(trx: AnyTransaction): void {
  for (const callback of waiting.get(trx) ?? []) {
    callback();
  }
  waiting.delete(trx);
}
