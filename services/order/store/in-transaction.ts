import type { Transaction } from "kysely";
import type { Command } from "../../runtime/commands/command.ts";
import type { CommandsInTransaction } from "../../runtime/commands/in-transaction.ts";
import type { OrderDatabase } from "../db/schema.ts";

/**
 * Executes a command in the caller's transaction, for changes that commit together with rows of sagas. Throws what the
 * command throws; the caller must then roll back.
 */
export async function executeIn<Result>(
  trx: Transaction<OrderDatabase>,
  { runCommands }: { readonly runCommands: CommandsInTransaction<OrderDatabase> },
  command: Command<Result>,
): Promise<Result> {
  const [outcome] = await runCommands(trx, [command]);
  if (outcome === undefined || "error" in outcome) {
    throw outcome?.error;
  }
  return outcome.result as Result;
}
