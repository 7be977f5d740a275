import { epochMs, id, int, json, notNull, tenantId, text } from "../../db/columns.ts";
import { ensure, type Migration } from "../../db/migrate.ts";

/** Migrations for every service with sagas. */
export const sagaMigrations: Readonly<Record<string, Migration>> = {
  "saga-0001": {
    async up({ schema }) {
      await schema
        .createTable("sagas")
        .ifNotExists()
        .addColumn("id", text(64), (column) => column.primaryKey())
        .addColumn("tenant_id", tenantId, notNull)
        .addColumn("aggregate", text(128), notNull)
        .addColumn("definition", text(64), notNull)
        .addColumn("version", int, notNull)
        .addColumn("status", text(16), notNull)
        .addColumn("step", text(64), notNull)
        .addColumn("data", json, notNull)
        .addColumn("due_at", epochMs)
        .addColumn("owner", id)
        .addColumn("epoch", int, notNull)
        .addColumn("revision", int, notNull)
        .addColumn("takeovers", int, notNull)
        .addColumn("created_at", epochMs, notNull)
        .addColumn("updated_at", epochMs, notNull)
        .execute();
      const index = (name: string, columns: string[]) =>
        ensure(schema.createIndex(`sagas_${name}`).on("sagas").columns(columns));
      await index("due_at", ["due_at"]);
      await index("by_tenant", ["tenant_id", "id"]);
      await index("by_status", ["tenant_id", "status", "id"]);
    },
  },
  "saga-0002p-by-aggregate": {
    up: ({ schema }) =>
      ensure(schema.createIndex("sagas_by_aggregate").on("sagas").columns(["tenant_id", "aggregate", "id"])),
  },
};
