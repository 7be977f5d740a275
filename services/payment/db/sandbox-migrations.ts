import {
  currency,
  epochMs,
  flag,
  int,
  longText,
  minorUnits,
  notNull,
  tenantId,
  text,
} from "../../runtime/db/columns.ts";
import { ensure, type Migration } from "../../runtime/db/migrate.ts";

/** The sandbox's tables. */
export const sandboxTables: Migration = {
  async up({ schema }) {
    await schema
      .createTable("sandbox_payments")
      .ifNotExists()
      .addColumn("reference", text(64), (column) => column.primaryKey())
      .addColumn("open_key", text(255), notNull)
      .addColumn("tenant", tenantId, notNull)
      .addColumn("payment", text(160), notNull)
      .addColumn("currency", currency, notNull)
      .addColumn("amount", minorUnits, notNull)
      .addColumn("token", text(1024), notNull)
      .addColumn("capture_automatically", flag, notNull)
      .addColumn("client_secret", text(64), notNull)
      .addColumn("expires_at", epochMs, notNull)
      .execute();
    await ensure(schema.createIndex("sandbox_payments_key").unique().on("sandbox_payments").column("open_key"));
    await ensure(schema.createIndex("sandbox_payments_secret").unique().on("sandbox_payments").column("client_secret"));
    await schema
      .createTable("sandbox_steps")
      .ifNotExists()
      .addColumn("reference", text(64), notNull)
      .addColumn("number", int, notNull)
      .addColumn("effective_at", epochMs, notNull)
      .addColumn("kind", text(32), notNull)
      .addColumn("amount", minorUnits, notNull)
      .addColumn("refund_id", text(255), notNull)
      .addColumn("refund_reference", text(64), notNull)
      .addColumn("message", longText, notNull)
      .addColumn("request_key", text(255))
      .addPrimaryKeyConstraint("sandbox_steps_pk", ["reference", "number"])
      .execute();
  },
};
