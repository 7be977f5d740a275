import { databaseErrorKind } from "../db/errors.ts";
import type { Attempt } from "./attempt.ts";
import type { Outcome, PreparedCommand } from "./decide.ts";

/** How often a single command may meet a key that another process inserts between its SELECT and its INSERT. */
const MAX_RACES = 5;

/** A command, and where its outcome goes. */
export interface Pending extends PreparedCommand {
  settle(outcome: Outcome): void;
}

/**
 * Runs a batch and settles all its commands. When the database refuses a row, the batch is halved until the command that
 * wants the row is alone, so that only this one is rejected; the order of the commands stays. At most 2n - 1 attempts.
 *
 * `done` is called after each transaction that committed, with what its commands left for after the commit.
 */
export async function runIsolated(
  attempt: Attempt,
  pending: readonly Pending[],
  done: (afterCommit: readonly (() => void)[]) => void,
): Promise<void> {
  await run(pending, { loadFresh: false, races: 0 });

  async function run(commands: readonly Pending[], options: { loadFresh: boolean; races: number }): Promise<void> {
    try {
      const { outcomes, afterCommit } = await attempt(commands, options);
      for (const [at, outcome] of outcomes.entries()) {
        commands[at]?.settle(outcome);
      }
      done(afterCommit);
    } catch (error) {
      const kind = databaseErrorKind(error);
      if (kind === "unique" && options.races < (commands.length === 1 ? MAX_RACES : 1)) {
        // A key that was expected to be new, or that another process inserted: now it is found.
        await run(commands, { loadFresh: true, races: options.races + 1 });
      } else if (commands.length === 1 || kind === "conflict" || kind === "lost" || kind === "commit-unknown") {
        for (const { settle } of commands) {
          settle({ error });
        }
      } else {
        const half = Math.ceil(commands.length / 2);
        await run(commands.slice(0, half), { loadFresh: true, races: 0 });
        await run(commands.slice(half), { loadFresh: true, races: 0 });
      }
    }
  }
}
