import { bigint, bytes, epochMs, id, int, json, longText, notNull, tenantId, text } from "../db/columns.ts";
import { ensure, type Migration } from "../db/migrate.ts";

/** Migrations for every service with consumers. */
export const inboxMigrations: Readonly<Record<string, Migration>> = {
  "inbox-0001": {
    async up({ schema }) {
      await schema
        .createTable("inbox_messages")
        .ifNotExists()
        .addColumn("consumer", text(64), notNull)
        .addColumn("message_id", text(64), notNull)
        .addColumn("received_at", epochMs, notNull)
        .addPrimaryKeyConstraint("inbox_messages_pk", ["consumer", "message_id"])
        .execute();
      await ensure(schema.createIndex("inbox_messages_received_at").on("inbox_messages").column("received_at"));
      await schema
        .createTable("dead_letters")
        .ifNotExists()
        .addColumn("id", id, (column) => column.primaryKey())
        .addColumn("tenant_id", tenantId, notNull)
        .addColumn("consumer", text(64), notNull)
        .addColumn("message_id", text(64), notNull)
        .addColumn("event_type", text(128), notNull)
        .addColumn("source", text(64), notNull)
        .addColumn("aggregate", text(128), notNull)
        .addColumn("sequence", bigint, notNull)
        .addColumn("published_at", epochMs, notNull)
        .addColumn("data", bytes, notNull)
        .addColumn("extensions", json)
        .addColumn("error", longText, notNull)
        .addColumn("attempts", int, notNull)
        .addColumn("created_at", epochMs, notNull)
        .addColumn("replayed_at", epochMs)
        .addUniqueConstraint("dead_letters_message", ["consumer", "message_id"])
        .execute();
      await ensure(schema.createIndex("dead_letters_by_tenant").on("dead_letters").columns(["tenant_id", "id"]));
    },
  },
  "inbox-0002-parked": {
    async up({ schema }) {
      await schema
        .createTable("inbox_parked")
        .ifNotExists()
        .addColumn("tenant_id", tenantId, notNull)
        .addColumn("aggregate", text(128), notNull)
        .addColumn("consumer", text(64), notNull)
        .addColumn("attempts", int, notNull)
        .addColumn("error", longText, notNull)
        .addColumn("parked_at", epochMs, notNull)
        .addColumn("due_at", epochMs, notNull)
        .addPrimaryKeyConstraint("inbox_parked_pk", ["tenant_id", "aggregate", "consumer"])
        .execute();
      await ensure(schema.createIndex("inbox_parked_due").on("inbox_parked").columns(["consumer", "due_at"]));
      await schema
        .createTable("inbox_parked_events")
        .ifNotExists()
        .addColumn("tenant_id", tenantId, notNull)
        .addColumn("aggregate", text(128), notNull)
        .addColumn("consumer", text(64), notNull)
        .addColumn("sequence", bigint, notNull)
        .addColumn("source", text(64), notNull)
        .addColumn("message_id", text(64), notNull)
        .addColumn("event_type", text(128), notNull)
        .addColumn("published_at", epochMs, notNull)
        .addColumn("data", bytes, notNull)
        .addColumn("extensions", json)
        .addPrimaryKeyConstraint("inbox_parked_events_pk", [
          ...(["tenant_id", "aggregate", "consumer", "sequence", "source"] as const),
        ])
        .execute();
    },
  },
};
