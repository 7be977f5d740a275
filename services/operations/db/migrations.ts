import { epochMs, id, json, notNull, tenantId, text } from "../../runtime/db/columns.ts";
import { ensure, type Migration } from "../../runtime/db/migrate.ts";
import { inboxMigrations } from "../../runtime/inbox/migrations.ts";

const apiKeys: Migration = {
  async up(kysely) {
    await kysely.schema
      .createTable("api_keys")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("id", id, notNull)
      .addColumn("display_name", text(255), notNull)
      .addColumn("key_hash", text(64), (column) => column.notNull().unique())
      .addColumn("key_prefix", text(16), notNull)
      .addColumn("scopes", text(1024), notNull)
      .addColumn("expires_at", epochMs)
      .addColumn("revoked_at", epochMs)
      .addColumn("last_used_at", epochMs)
      .addColumn("created_at", epochMs, notNull)
      .addPrimaryKeyConstraint("api_keys_pk", ["tenant_id", "id"])
      .execute();
  },
};

const auditEvents: Migration = {
  async up({ schema }) {
    await schema
      .createTable("audit_events")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("id", id, notNull)
      .addColumn("actor", text(255), notNull)
      .addColumn("method", text(128), notNull)
      .addColumn("resource", text(255), notNull)
      .addColumn("details", json, notNull)
      .addColumn("client_address", text(64), notNull)
      .addColumn("request_id", text(128), notNull)
      .addColumn("created_at", epochMs, notNull)
      .addPrimaryKeyConstraint("audit_events_pk", ["tenant_id", "id"])
      .execute();
    await ensure(schema.createIndex("audit_events_created_at").on("audit_events").column("created_at"));
  },
};

const auditOutcomes: Migration = {
  async up({ schema }) {
    const events = () => schema.alterTable("audit_events");
    await ensure(events().addColumn("outcome", text(16), (column) => column.notNull().defaultTo("ALLOWED")));
    await ensure(events().addColumn("reason", text(64), (column) => column.notNull().defaultTo("")));
  },
};

/** Migrations in execution order. */
export const migrations: Record<string, Migration> = {
  "0001-api-keys": apiKeys,
  ...inboxMigrations,
  "0002-audit-events": auditEvents,
  "0003p-audit-outcomes": auditOutcomes,
};
