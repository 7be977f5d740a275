import { bytes, epochMs, id, int, json, longText, notNull, tenantId, text } from "../db/columns.ts";
import { ensure, type Migration } from "../db/migrate.ts";

/** Migrations for every service that receives callbacks. */
export const callbackInboxMigrations = {
  "callback-inbox-001": {
    async up({ schema }) {
      await schema
        .createTable("inbound_callbacks")
        .ifNotExists()
        .addColumn("id", id, (column) => column.primaryKey())
        .addColumn("source", text(32), notNull)
        .addColumn("event_id", text(255), notNull)
        .addColumn("event_type", text(255), notNull)
        .addColumn("tenant_id", tenantId)
        .addColumn("subject", text(160), notNull)
        .addColumn("reference", text(255))
        .addColumn("state", text(16), notNull)
        .addColumn("headers", json, notNull)
        .addColumn("body", bytes, notNull)
        .addColumn("receive_count", int, notNull)
        .addColumn("failure_message", longText, notNull)
        .addColumn("received_at", epochMs, notNull)
        .addColumn("processed_at", epochMs)
        .addColumn("attempt", int, notNull)
        .addColumn("due_at", epochMs)
        .execute();
      const index = (name: string) => schema.createIndex(`inbound_callbacks_${name}`).on("inbound_callbacks");
      await ensure(index("event").unique().columns(["source", "event_id"]));
      await ensure(index("tenant").columns(["tenant_id", "id"]));
      await ensure(index("subject").columns(["tenant_id", "subject", "id"]));
      await ensure(index("reference").columns(["source", "reference"]));
      await ensure(index("due_at").column("due_at"));
      await ensure(index("received_at").column("received_at"));
    },
  },
} satisfies Record<string, Migration>;
