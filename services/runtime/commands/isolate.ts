import { databaseErrorKind } from "../db/errors.ts";
import type { Attempt } from "./attempt.ts";
import type { Outcome, PreparedCommand } from "./decide.ts";

/** How often a single command may encounter a key that another process inserts between its SELECT and its INSERT. */
const MAX_RACES = 5;

/** A command with the callbacks for its outcome. */
export interface Pending extends PreparedCommand {
  settle(outcome: Outcome): void;
}

export interface IsolationReport {
  /** Transactions that were tried. One if the database accepts every row. */
  readonly attempts: number;
  /** Statements of the committed transactions, without BEGIN and COMMIT. */
  readonly statements: number;
  /** Commands rejected by the database. */
  readonly rejected: number;
}

/**
 * Runs a batch and settles all its commands. If the database rejects a row, the batch is bisected until the responsible
 * command is alone, so that only it is rejected; commands stay in order. At most 2n - 1 attempts.
 *
 * `done` is called after each committed transaction with its commands' after-commit callbacks.
 */
export async function runIsolated(
  attempt: Attempt,
  pending: readonly Pending[],
  done: (afterCommit: readonly (() => void)[]) => void,
): Promise<IsolationReport> {
  const report = { attempts: 0, statements: 0, rejected: 0 };
  await run(pending, { loadFresh: false, races: 0 });
  return report;

  async function run(commands: readonly Pending[], options: { loadFresh: boolean; races: number }): Promise<void> {
    report.attempts += 1;
    try {
      const { outcomes, afterCommit, statements } = await attempt(commands, options);
      report.statements += statements;
      for (const [at, outcome] of outcomes.entries()) {
        commands[at]?.settle(outcome);
      }
      done(afterCommit);
    } catch (error) {
      const kind = databaseErrorKind(error);
      if (kind === "unique" && options.races < (commands.length === 1 ? MAX_RACES : 1)) {
        // A key expected to be new, or inserted concurrently by another process, is found this time.
        await run(commands, { loadFresh: true, races: options.races + 1 });
      } else if (commands.length === 1 || kind === "conflict" || kind === "lost" || kind === "commit-unknown") {
        report.rejected += commands.length;
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
