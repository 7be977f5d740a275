import type { Transaction } from "kysely";
import type { Database, DialectName } from "../db/connect.ts";
import { createDatabaseClock } from "../db/database-clock.ts";
import type { Outbox } from "../outbox/outbox.ts";
import type { Clock } from "../values/clock.ts";
import { type Decisions, decideAll, type PreparedCommand } from "./decide.ts";
import { createIdentityMap, type IdentityMap } from "./identity-map.ts";
import { loadAggregates } from "./load.ts";
import { createSqlText } from "./sql-text.ts";
import { createStatements } from "./statements.ts";
import { writeChanges } from "./write.ts";

/**
 * Runs commands in one transaction: load, decide, write, commit. Rejects with a {@link HiddenValueError} if they have to
 * be run apart. Retries the whole after a deadlock, a lock timeout, a
 * busy file or a connection lost before COMMIT, as `Database.transaction` does. Rejects with the database's error;
 * nothing is stored then, except for a `CommitUnknownError`.
 *
 * With `loadFresh`, keys that the commands expect not to exist are loaded like any other.
 */
export type Attempt = (
  commands: readonly PreparedCommand[],
  options: { loadFresh: boolean },
) => Promise<Decisions & { readonly statements: number }>;

export interface AttemptOptions<DB> extends Omit<BatchOptions, "dialect"> {
  readonly db: Database<DB>;
}

export function createAttempt<DB>({ db, outbox, clock }: AttemptOptions<DB>): Attempt {
  const runBatch = createBatchRunner<DB>({ dialect: db.dialect, outbox, clock });
  return (commands, options) => db.transaction((trx) => runBatch(trx, commands, options));
}

export interface BatchOptions {
  readonly dialect: DialectName;
  readonly outbox: Pick<Outbox, "publish">;
  readonly clock: Clock;
}

/** Creates the part of an {@link Attempt} within its transaction: everything but the commit. */
export function createBatchRunner<DB>({ dialect, outbox, clock }: BatchOptions) {
  const text = createSqlText(dialect);
  const databaseClock = createDatabaseClock(dialect, clock);
  return async (
    trx: Transaction<DB>,
    commands: readonly PreparedCommand[],
    { loadFresh }: { loadFresh: boolean },
  ): ReturnType<Attempt> => {
    const statements = createStatements(trx, text);
    const map = createIdentityMap();
    const needs = commands.flatMap(({ needs: { loaded, fresh } }) => (loadFresh ? [loaded, fresh] : [loaded]));
    map.reset(await loadAggregates(statements, needs));
    // Read after locking, so that the batch's time is later than that of the transactions it waited for.
    const nowMs = await databaseClock.read(trx);
    let decisions = decideAll(commands, map, nowMs);
    if (!loadFresh && hasUnproven(commands, map)) {
      const existing = await loadAggregates(
        statements,
        commands.map(({ needs: { fresh } }) => fresh),
      );
      if (existing.length > 0) {
        map.reset(existing);
        decisions = decideAll(commands, map, nowMs);
      }
    }
    if (map.hidesUniqueValue()) {
      throw new HiddenValueError("a command replaced a unique value that an earlier one had set");
    }
    await writeChanges(statements, map);
    await outbox.publish(trx, decisions.events);
    // Events cost a SELECT of their sequences and an INSERT.
    return { ...decisions, statements: statements.count() + 2 * Math.sign(decisions.events.length) };
  };
}

/** Commands that must not share a batch, because the database would not see a unique value that one of them sets. */
export class HiddenValueError extends Error {
  override readonly name = "HiddenValueError";
}

/**
 * Whether a key that a command expected to be new is not inserted, so that no INSERT proves that it is. A retried
 * command may be rejected because of its own first effect: the balance, for example, is lower by then.
 */
function hasUnproven(commands: readonly PreparedCommand[], map: IdentityMap): boolean {
  return commands.some(({ needs: { fresh } }) =>
    [...fresh].some(([lookup, keys]) => [...keys.values()].some((key) => map.find(lookup, key) === undefined)),
  );
}
