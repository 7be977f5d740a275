import type { Transaction } from "kysely";
import { afterCommit } from "../db/after-commit.ts";
import { type BatchOptions, createBatchRunner } from "./attempt.ts";
import type { Command } from "./command.ts";
import type { Outcome } from "./decide.ts";
import { collectNeeds } from "./needs.ts";

/**
 * Runs commands as one batch in the caller's transaction, and returns their outcomes in order. The caller must roll back
 * if one of them is an error. Rejects with the database's error.
 */
export type CommandsInTransaction<DB> = (
  trx: Transaction<DB>,
  commands: readonly Command<unknown>[],
) => Promise<readonly Outcome[]>;

/** Creates {@link CommandsInTransaction}, for what must commit with rows that are not a command's, such as the inbox. */
export function createCommandsInTransaction<DB>(options: BatchOptions): CommandsInTransaction<DB> {
  const runBatch = createBatchRunner<DB>(options);
  return async (trx, commands) => {
    const prepared = commands.map((command) => ({ command, needs: collectNeeds(command) }));
    const { outcomes, afterCommit: callbacks } = await runBatch(trx, prepared, { loadFresh: true });
    for (const callback of callbacks) {
      afterCommit(trx, callback);
    }
    return outcomes;
  };
}
