import type { Batch, Command } from "../../commands/command.ts";
import { createCommands } from "../../commands/commands.ts";
import { defineMapping } from "../../commands/mapping.ts";
import { defineTable } from "../../commands/table.ts";
import { int, notNull, text } from "../../db/columns.ts";
import type { Database } from "../../db/connect.ts";
import { type Migration, migrate } from "../../db/migrate.ts";
import { outboxMigrations } from "../../outbox/migrations.ts";
import { createOutbox } from "../../outbox/outbox.ts";
import type { OutboxTables } from "../../outbox/tables.ts";
import { createLogger } from "../../telemetry/log.ts";
import type { OpenTestDatabase, TestDatabase } from "../../testing/databases.ts";
import { systemClock } from "../../values/clock.ts";
import { createIds } from "../../values/ids.ts";
import type { SagaDefinition } from "../definition.ts";
import { createSagaRunner, type SagaRunner, type SagaRunnerOptions } from "../runner/runner.ts";
import { sagaMigrations } from "../store/migrations.ts";
import type { SagaTables } from "../store/tables.ts";

/** Database for saga tests, with a ledger of their effects. */
export interface LedgerTables extends SagaTables, OutboxTables {
  notes: { id: string; text: string; worker: string };
  effects: { effect_key: string; times: number };
}

const ledger: Migration = {
  async up({ schema }) {
    await schema
      .createTable("notes")
      .ifNotExists()
      .addColumn("id", text(26), (column) => column.primaryKey())
      .addColumn("text", text(255), notNull)
      .addColumn("worker", text(64), notNull)
      .execute();
    await schema
      .createTable("effects")
      .ifNotExists()
      .addColumn("effect_key", text(128), (column) => column.primaryKey())
      .addColumn("times", int, notNull)
      .execute();
  },
};

const ids = createIds(systemClock);

export const ledgerMigrations = { ...sagaMigrations, ...outboxMigrations, ledger } satisfies Record<string, Migration>;

/** Opens an empty ledger. */
export async function openLedger(open: OpenTestDatabase): Promise<TestDatabase<LedgerTables>> {
  const db = await open<LedgerTables>();
  await migrate(db, ledgerMigrations);
  return db;
}

const noteRows = defineMapping({
  root: defineTable<LedgerTables["notes"]>({ name: "notes", key: ["id"], columns: ["id", "text", "worker"] }),
  keyOf: (row: LedgerTables["notes"]): [string] => [row.id],
  fromRows: (row) => row,
  toRow: (row) => row,
});

/** Writes one line. */
export function note(batch: Batch, line: string, worker = ""): void {
  batch.insert(noteRows, { id: ids.next(), text: line, worker });
}

/** The command of a step that writes one line. */
export function noting(line: string, worker?: string): Command<void> {
  return { keys() {}, decide: (batch) => note(batch, line, worker) };
}

/** All lines, in the order they were written. */
export async function notes(db: Database<LedgerTables>): Promise<string[]> {
  const rows = await db.kysely.selectFrom("notes").select("text").orderBy("id").execute();
  return rows.map((row) => row.text);
}

/** A silent logger. */
export const testLog = createLogger({ level: "silent", name: "test" });

export const testOutbox = createOutbox({ source: "docket/test", ids, clock: systemClock });

/** Creates a runner for tests: silent, with a short poll interval. */
export function runnerOn(
  db: Database<LedgerTables>,
  definitions: readonly SagaDefinition<unknown>[],
  options: Partial<SagaRunnerOptions<LedgerTables>> = {},
): SagaRunner {
  const commands = createCommands({ db, outbox: testOutbox, log: testLog });
  const all = { db, commands, definitions, outbox: testOutbox, log: testLog, pollMs: 20, leaseMs: 30_000, ...options };
  const runner = createSagaRunner(all);
  return {
    ...runner,
    async [Symbol.asyncDispose]() {
      await runner[Symbol.asyncDispose]();
      await commands[Symbol.asyncDispose]();
    },
  };
}
