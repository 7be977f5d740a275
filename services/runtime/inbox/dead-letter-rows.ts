import type { Selectable } from "kysely";
import type { BusEvent } from "../bus/event-bus.ts";
import { type AnyTransaction, withTables } from "../db/any-transaction.ts";
import type { DialectName } from "../db/connect.ts";
import { forUpdate, insertIgnore, nowMs } from "../db/sql.ts";
import { toColumns } from "./event-columns.ts";
import type { DeadLettersTable, InboxTables } from "./tables.ts";

export type DeadLetterRow = Selectable<DeadLettersTable>;

const ERROR_LENGTH = 4_000;

/** Stores a dead letter, unless it is stored already. */
export async function insertDeadLetter(
  trx: AnyTransaction,
  dialect: DialectName,
  letter: { id: string; consumer: string; event: BusEvent; error: unknown; attempts: number },
): Promise<void> {
  await insertIgnore(withTables<InboxTables>(trx), "dead_letters", {
    ...toColumns(letter.event),
    id: letter.id,
    consumer: letter.consumer,
    error: describeError(letter.error),
    attempts: letter.attempts,
    created_at: nowMs(dialect),
    replayed_at: null,
  });
}

/** Locks a dead letter of this consumer. */
export async function takeDeadLetter(
  trx: AnyTransaction,
  dialect: DialectName,
  { id, consumer }: { id: string; consumer: string },
): Promise<DeadLetterRow | undefined> {
  const letters = withTables<InboxTables>(trx).selectFrom("dead_letters").selectAll();
  return forUpdate(dialect, letters.where("id", "=", id).where("consumer", "=", consumer)).executeTakeFirst();
}

export async function markReplayed(trx: AnyTransaction, dialect: DialectName, id: string): Promise<void> {
  const letters = withTables<InboxTables>(trx).updateTable("dead_letters");
  await letters
    .set({ replayed_at: nowMs(dialect) })
    .where("id", "=", id)
    .execute();
}

export async function noteFailedReplay(trx: AnyTransaction, id: string, error: unknown): Promise<void> {
  await withTables<InboxTables>(trx)
    .updateTable("dead_letters")
    .set((row) => ({ attempts: row("attempts", "+", 1), error: describeError(error) }))
    .where("id", "=", id)
    .where("replayed_at", "is", null)
    .execute();
}

/** The error and its causes, one per line. */
export function describeError(error: unknown): string {
  const lines: string[] = [];
  for (let at = error; at !== undefined && lines.length < 5; at = at instanceof Error ? at.cause : undefined) {
    lines.push(String(at));
  }
  return lines.join("\n").slice(0, ERROR_LENGTH);
}
