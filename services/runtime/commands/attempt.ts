import type { Database } from "../db/connect.ts";
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
 * Runs commands in one transaction: load, decide, write, commit. Repeats the whole after a deadlock, a lock timeout, a
 * busy file or a connection that was lost before COMMIT, as `Database.transaction` does. Rejects with the database's
 * error, and then nothing is stored, except for a `CommitUnknownError`.
 *
 * With `loadFresh` the keys that the commands expect not to exist are loaded like any other.
 */
export type Attempt = (commands: readonly PreparedCommand[], options: { loadFresh: boolean }) => Promise<Decisions>;

export interface AttemptOptions<DB> {
  readonly db: Database<DB>;
  readonly outbox: Pick<Outbox, "publish">;
  readonly clock: Clock;
}

export function createAttempt<DB>({ db, outbox, clock }: AttemptOptions<DB>): Attempt {
  const text = createSqlText(db.dialect);
  const databaseClock = createDatabaseClock(db.dialect, clock);
  return (commands, { loadFresh }) =>
    db.transaction(async (trx) => {
      const statements = createStatements(trx, text);
      const map = createIdentityMap();
      const needs = commands.flatMap(({ needs: { loaded, fresh } }) => (loadFresh ? [loaded, fresh] : [loaded]));
      map.reset(await loadAggregates(statements, needs));
      // After the locks: what this batch decides is later than what it waited for.
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
      await writeChanges(statements, map);
      await outbox.publish(trx, decisions.events);
      return decisions;
    });
}

/**
 * Whether a key that a command expected to be new is not inserted, so that no INSERT will show whether it was. A command
 * that is repeated may refuse the second time what it did the first time: the balance, for example, is lower by then.
 */
function hasUnproven(commands: readonly PreparedCommand[], map: IdentityMap): boolean {
  return commands.some(({ needs: { fresh } }) =>
    [...fresh].some(([{ mapping }, keys]) =>
      [...keys.values()].some((key) => map.entry(mapping, key).value === undefined),
    ),
  );
}
