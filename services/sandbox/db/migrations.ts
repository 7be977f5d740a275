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
import { callbackMigrations } from "../../runtime/webhooks/migrations.ts";

const payments: Migration = {
  async up({ schema }) {
    await schema
      .createTable("payments")
      .ifNotExists()
      .addColumn("reference", text(64), (column) => column.primaryKey())
      .addColumn("open_key", text(255), notNull)
      .addColumn("tenant", tenantId, notNull)
      .addColumn("payment", text(160), notNull)
      .addColumn("currency", currency, notNull)
      .addColumn("amount", minorUnits, notNull)
      .addColumn("token", text(32), notNull)
      .addColumn("capture_automatically", flag, notNull)
      .addColumn("client_secret", text(64), notNull)
      .addColumn("expires_at", epochMs, notNull)
      .execute();
    await ensure(schema.createIndex("payments_open_key").unique().on("payments").column("open_key"));
    await ensure(schema.createIndex("payments_client_secret").unique().on("payments").column("client_secret"));
    await schema
      .createTable("payment_steps")
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
      .addPrimaryKeyConstraint("payment_steps_pk", ["reference", "number"])
      .execute();
  },
};

const parcels: Migration = {
  async up({ schema }) {
    await schema
      .createTable("parcels")
      .ifNotExists()
      .addColumn("reference", text(160), (column) => column.primaryKey())
      .addColumn("tracking_number", text(128), notNull)
      .addColumn("service", text(64), notNull)
      .addColumn("booked_at", epochMs, notNull)
      .addColumn("cancelled_at", epochMs)
      .addColumn("asked", int, notNull)
      .execute();
    await ensure(schema.createIndex("parcels_booked_at").on("parcels").column("booked_at"));
  },
};

/** In the order in which they were added; never renamed. */
export const migrations = {
  ...callbackMigrations,
  "sandbox-0001-payments": payments,
  "sandbox-0002-parcels": parcels,
} satisfies Record<string, Migration>;
