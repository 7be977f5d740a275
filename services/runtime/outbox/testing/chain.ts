import { epochMs, id, int, notNull, text } from "../../db/columns.ts";
import type { Migration } from "../../db/migrate.ts";
import { inboxMigrations } from "../../inbox/migrations.ts";
import type { InboxTables } from "../../inbox/tables.ts";
import { outboxMigrations } from "../migrations.ts";
import type { OutboxTables } from "../tables.ts";

/** Database for tests that publish, relay and consume: a counter per aggregate, and the effects of its events. */
export interface ChainTables extends OutboxTables, InboxTables {
  counters: { aggregate: string; value: number };
  effects: { id: string; aggregate: string; sequence: number; value: number; at: number };
}

const chain: Migration = {
  async up({ schema }) {
    await schema
      .createTable("counters")
      .ifNotExists()
      .addColumn("aggregate", text(64), (column) => column.primaryKey())
      .addColumn("value", int, notNull)
      .execute();
    await schema
      .createTable("effects")
      .ifNotExists()
      .addColumn("id", id, (column) => column.primaryKey())
      .addColumn("aggregate", text(64), notNull)
      .addColumn("sequence", int, notNull)
      .addColumn("value", int, notNull)
      .addColumn("at", epochMs, notNull)
      .execute();
  },
};

export const chainMigrations = { ...outboxMigrations, ...inboxMigrations, chain } satisfies Record<string, Migration>;

/** Number of aggregates, and the final value of their counters. */
export const AGGREGATES = 8;
export const COUNT_TO = 25;

/** Share of attempts at an event that fail. */
export const FAILURES = 0.15;
