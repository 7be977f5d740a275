import { setTimeout as sleep } from "node:timers/promises";
import type { Kysely, Transaction } from "kysely";
import { committed } from "./after-commit.ts";
import { databaseErrorKind } from "./errors.ts";

export interface TransactionOptions {
  /**
   * Aborts before an attempt, between attempts, and before COMMIT; a COMMIT that was sent is never aborted. The promise
   * then rejects with the signal's reason and nothing was changed.
   */
  signal?: AbortSignal | undefined;
}

const MAX_ATTEMPTS = 10;
const BACKOFF_MS = { first: 5, most: 500 };

/**
 * Runs `fn` in a transaction and commits. After a conflict with another transaction (deadlock, lock wait, busy) or a
 * connection lost before COMMIT, rolls back and retries all of it after a delay with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). Throws the last attempt's error.
 */
export async function runTransaction<DB, T>(
  kysely: Kysely<DB>,
  fn: (trx: Transaction<DB>) => Promise<T>,
  { signal, random }: TransactionOptions & { random: () => number },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      const done = await kysely.transaction().execute(async (trx) => {
        const result = await fn(trx);
        signal?.throwIfAborted();
        return { trx, result };
      });
      committed(done.trx);
      return done.result;
    } catch (error) {
      const kind = databaseErrorKind(error);
      if ((kind !== "conflict" && kind !== "lost") || attempt >= MAX_ATTEMPTS) {
        throw error;
      }
    }
    const capMs = Math.min(BACKOFF_MS.most, BACKOFF_MS.first * 2 ** attempt);
    await sleep(random() * capMs, undefined, { signal });
  }
}
