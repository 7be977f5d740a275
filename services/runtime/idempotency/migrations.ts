import type { Kysely } from "kysely";
import { tablesOf } from "../db/any-transaction.ts";
import { bytes, epochMs, notNull, tenantId, text } from "../db/columns.ts";
import { ensure, type Migration } from "../db/migrate.ts";
import type { IdempotencyTables } from "./tables.ts";

/** Migrations for every service with mutations. */
export const idempotencyMigrations: Readonly<Record<string, Migration>> = {
  "idempotency-0001": {
    async up({ schema }) {
      await schema
        .createTable("idempotency_keys")
        .ifNotExists()
        .addColumn("tenant_id", tenantId, notNull)
        .addColumn("method", text(128), notNull)
        .addColumn("request_id", text(128), notNull)
        .addColumn("request_hash", text(64), notNull)
        .addColumn("response", bytes)
        .addColumn("created_at", epochMs, notNull)
        .addPrimaryKeyConstraint("idempotency_keys_pk", ["tenant_id", "method", "request_id"])
        .execute();
      await ensure(schema.createIndex("idempotency_keys_created_at").on("idempotency_keys").column("created_at"));
    },
  },
  "idempotency-0002b-key-of-one-method": {
    async up(kysely) {
      await forgetReusedKeys(tablesOf<IdempotencyTables>(kysely));
      const index = kysely.schema.createIndex("idempotency_keys_request").on("idempotency_keys").unique();
      await ensure(index.columns(["tenant_id", "request_id"]));
    },
  },
};

/** Deletes all but the first use of keys that were used for several methods. */
async function forgetReusedKeys(kysely: Kysely<IdempotencyTables>): Promise<void> {
  const reused = await kysely
    .selectFrom("idempotency_keys")
    .select(["tenant_id", "request_id"])
    .groupBy(["tenant_id", "request_id"])
    .having((eb) => eb(eb.fn.countAll(), ">", 1))
    .execute();
  for (const { tenant_id, request_id } of reused) {
    const uses = await kysely
      .selectFrom("idempotency_keys")
      .select("method")
      .where("tenant_id", "=", tenant_id)
      .where("request_id", "=", request_id)
      .orderBy("created_at")
      .orderBy("method")
      .execute();
    await kysely
      .deleteFrom("idempotency_keys")
      .where("tenant_id", "=", tenant_id)
      .where("request_id", "=", request_id)
      .where(
        "method",
        "in",
        uses.slice(1).map(({ method }) => method),
      )
      .execute();
  }
}
