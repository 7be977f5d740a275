import type { Transaction } from "kysely";
import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import type { Database } from "../db/connect.ts";
import { fullJitterMs } from "../values/backoff.ts";
import type { ParsedCallback } from "./callback-source.ts";
import {
  type Applied,
  type CallbackStore,
  type CallbackStoreOptions,
  type CallbackToApply,
  RECEIVE_LEASE_MS,
} from "./callback-store.ts";
import {
  countRepetition,
  insertCallback,
  lockCallback,
  postponeCallback,
  type StoredCallback,
  settleCallback,
  wakeCallbacks,
} from "./rows.ts";
import type { CallbackInboxTables } from "./tables.ts";

export interface TransactionStoreOptions<DB extends CallbackInboxTables, Content>
  extends CallbackStoreOptions<Content> {
  readonly db: Database<DB>;
  /**
   * Applies a callback in the caller's transaction, which has stored or locked it. Must be idempotent. An exception
   * rolls the transaction back, and the callback is retried.
   */
  readonly apply: (trx: Transaction<DB>, callback: CallbackToApply<Content>) => Promise<Applied>;
}

/** Applies callbacks in a transaction each. */
export interface TransactionStore<Content> extends CallbackStore<Content> {
  /** Makes callbacks due that wait for the resource with this id of the source. Nudge the inbox after the commit. */
  wake(trx: AnyTransaction, source: string, reference: string): Promise<void>;
}

export function createTransactionStore<DB extends CallbackInboxTables, Content>(
  options: TransactionStoreOptions<DB, Content>,
): TransactionStore<Content> {
  const { db, random, apply, retry, patienceMs } = options;
  const { kysely: tables, dialect } = db as unknown as Database<CallbackInboxTables>;

  const postpone = (id: string, attempt: number, problem: string, reference?: string, on = tables) => {
    const pauseMs = fullJitterMs(Math.max(1, attempt), retry, random);
    return postponeCallback(on, dialect, id, { pauseMs, patienceMs, problem, reference });
  };

  const applyParsed = async (
    trx: Transaction<DB>,
    { id, source }: Pick<StoredCallback, "id" | "source">,
    parsed: ParsedCallback<Content>,
  ): Promise<Applied> =>
    "problem" in parsed
      ? { kind: "failed", problem: `it cannot be read: ${parsed.problem}` }
      : apply(trx, { id, source, content: parsed.content });

  const applyStored = async (trx: Transaction<DB>, callback: StoredCallback): Promise<Applied> => {
    const source = options.source(callback.source);
    return source === undefined
      ? { kind: "early", problem: `the source ${callback.source} is not configured` }
      : applyParsed(trx, callback, source.read(callback.body));
  };

  const record = async (trx: AnyTransaction, id: string, applied: Applied, attempt: number) => {
    const inbox = withTables<CallbackInboxTables>(trx);
    if (applied.kind === "early") {
      await postpone(id, attempt, applied.problem, applied.reference, inbox);
      return;
    }
    const { tenant, subject } = applied;
    const outcome =
      applied.kind === "failed"
        ? ({ state: "FAILED", failureMessage: applied.problem, tenant, subject } as const)
        : ({ state: applied.changed ? "PROCESSED" : "IGNORED", tenant, subject } as const);
    await settleCallback(inbox, dialect, id, outcome);
  };

  return {
    async receive(callback, parsed) {
      const isNew = await db.transaction(async (trx) => {
        const inserted = await insertCallback(
          withTables<CallbackInboxTables>(trx),
          dialect,
          callback,
          RECEIVE_LEASE_MS,
        );
        if (inserted && parsed !== undefined) {
          await record(trx, callback.id, await applyParsed(trx, callback, parsed), 1);
        }
        return inserted;
      });
      if (!isNew) {
        // A separate statement: the failed INSERT holds a lock that many concurrent duplicates would share.
        await countRepetition(tables, callback.source, callback.eventId);
      }
    },
    process: ({ id, attempt }) =>
      db.transaction(async (trx) => {
        const callback = await lockCallback(withTables<CallbackInboxTables>(trx), dialect, id);
        if (callback?.state === "RECEIVED") {
          await record(trx, id, await applyStored(trx, callback), attempt);
        }
      }),
    postpone: ({ id, attempt }, problem) => postpone(id, attempt, problem),
    wake: (trx, source, reference) => wakeCallbacks(withTables<CallbackInboxTables>(trx), dialect, source, reference),
  };
}
