import { tablesOf } from "../db/any-transaction.ts";
import { bigint, bytes, epochMs, id, int, json, notNull, tenantId, text } from "../db/columns.ts";
import { ensure, type Migration } from "../db/migrate.ts";
import { BUCKETS, type OutboxTables } from "./tables.ts";

/** Migrations for every service that publishes. */
export const outboxMigrations: Readonly<Record<string, Migration>> = {
  "outbox-0001-messages": {
    async up({ schema }) {
      await schema
        .createTable("outbox_messages")
        .ifNotExists()
        .addColumn("tenant_id", tenantId, notNull)
        .addColumn("aggregate", text(128), notNull)
        .addColumn("sequence", bigint, notNull)
        .addColumn("id", text(64), notNull)
        .addColumn("type", text(128), notNull)
        .addColumn("source", text(64), notNull)
        .addColumn("published_at", epochMs, notNull)
        .addColumn("data", bytes, notNull)
        .addColumn("extensions", json)
        .addColumn("bucket", int, notNull)
        .addColumn("sent_at", epochMs)
        .addPrimaryKeyConstraint("outbox_messages_pk", ["tenant_id", "aggregate", "sequence"])
        .execute();
      // Unsent rows of an aggregate are adjacent and in order; sent rows follow by age, for pruning.
      const columns = ["sent_at", "tenant_id", "aggregate", "sequence"];
      await ensure(schema.createIndex("outbox_messages_unsent").on("outbox_messages").columns(columns));
    },
  },
  "outbox-0002-relays": {
    async up(kysely) {
      await kysely.schema
        .createTable("outbox_relays")
        .ifNotExists()
        .addColumn("owner", id, (column) => column.primaryKey())
        .addColumn("leased_until", epochMs, notNull)
        .execute();
      await kysely.schema
        .createTable("outbox_buckets")
        .ifNotExists()
        .addColumn("bucket", int, (column) => column.primaryKey())
        .addColumn("owner", id, notNull)
        .addColumn("leased_until", epochMs, notNull)
        .execute();
      const tables = tablesOf<OutboxTables>(kysely);
      await tables.deleteFrom("outbox_buckets").execute();
      const buckets = Array.from({ length: BUCKETS }, (_, bucket) => ({ bucket, owner: "", leased_until: 0 }));
      await tables.insertInto("outbox_buckets").values(buckets).execute();
    },
  },
};
