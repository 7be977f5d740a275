import { epochMs, id, notNull, tenantId, text } from "../../runtime/db/columns.ts";
import type { Migration } from "../../runtime/db/migrate.ts";

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

/** In the order in which they run. */
export const migrations: Record<string, Migration> = { "0001-api-keys": apiKeys };
