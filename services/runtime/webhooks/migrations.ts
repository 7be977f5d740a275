import { bytes, epochMs, id, int, notNull, text } from "../db/columns.ts";
import { ensure, type Migration } from "../db/migrate.ts";

/** Migrations for every service that schedules callbacks. */
export const callbackMigrations = {
  "callbacks-001": {
    async up({ schema }) {
      await schema
        .createTable("callbacks")
        .ifNotExists()
        .addColumn("id", id, (column) => column.primaryKey())
        .addColumn("message_id", text(128), notNull)
        .addColumn("url", text(1024), notNull)
        .addColumn("content_type", text(128), notNull)
        .addColumn("body", bytes, notNull)
        .addColumn("attempt", int, notNull)
        .addColumn("due_at", epochMs)
        .addColumn("give_up_at", epochMs, notNull)
        .addColumn("delivered_at", epochMs)
        .addColumn("prune_at", epochMs)
        .addColumn("last_error", text(1024))
        .execute();
      for (const column of ["due_at", "message_id", "prune_at"]) {
        await ensure(schema.createIndex(`callbacks_${column}`).on("callbacks").column(column));
      }
    },
  },
  "callbacks-002-traces": {
    up: ({ schema }) => ensure(schema.alterTable("callbacks").addColumn("traceparent", text(64))),
  },
} satisfies Record<string, Migration>;
