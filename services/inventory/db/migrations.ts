import { bigint, epochMs, flag, int, json, longText, notNull, tenantId, text } from "../../runtime/db/columns.ts";
import { ensure, type Migration } from "../../runtime/db/migrate.ts";
import { idempotencyMigrations } from "../../runtime/idempotency/migrations.ts";
import { inboxMigrations } from "../../runtime/inbox/migrations.ts";
import { outboxMigrations } from "../../runtime/outbox/migrations.ts";

const sku = text(63);
const reservationId = text(64);

const items: Migration = {
  async up({ schema }) {
    await schema
      .createTable("items")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("sku", sku, notNull)
      .addColumn("title", text(255), notNull)
      .addColumn("prices", json, notNull)
      .addColumn("discontinued", flag, notNull)
      .addColumn("stock_on_hand", bigint, notNull)
      .addColumn("stock_reserved", bigint, notNull)
      .addColumn("created_at", epochMs, notNull)
      .addColumn("updated_at", epochMs, notNull)
      .addColumn("version", int, notNull)
      .addPrimaryKeyConstraint("items_pk", ["tenant_id", "sku"])
      .execute();
    for (const column of ["title", "created_at", "updated_at"]) {
      await ensure(schema.createIndex(`items_${column}`).on("items").columns(["tenant_id", column, "sku"]));
    }
  },
};

const stockMovements: Migration = {
  async up({ schema }) {
    await schema
      .createTable("stock_movements")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("sku", sku, notNull)
      .addColumn("sequence", int, notNull)
      .addColumn("type", text(16), notNull)
      .addColumn("on_hand_delta", bigint, notNull)
      .addColumn("reserved_delta", bigint, notNull)
      .addColumn("stock_on_hand", bigint, notNull)
      .addColumn("stock_reserved", bigint, notNull)
      .addColumn("reservation_id", reservationId)
      .addColumn("reason", text(255), notNull)
      .addColumn("actor", longText, notNull)
      .addColumn("created_at", epochMs, notNull)
      .addPrimaryKeyConstraint("stock_movements_pk", ["tenant_id", "sku", "sequence"])
      .execute();
  },
};

const reservations: Migration = {
  async up({ schema }) {
    await schema
      .createTable("reservations")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("id", reservationId, notNull)
      .addColumn("order_name", text(80), notNull)
      .addColumn("state", text(16), notNull)
      .addColumn("expires_at", epochMs)
      .addColumn("created_at", epochMs, notNull)
      .addColumn("updated_at", epochMs, notNull)
      .addPrimaryKeyConstraint("reservations_pk", ["tenant_id", "id"])
      .execute();
    await schema
      .createTable("reservation_lines")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("reservation_id", reservationId, notNull)
      .addColumn("sku", sku, notNull)
      .addColumn("quantity", bigint, notNull)
      .addColumn("consumed", bigint, notNull)
      .addPrimaryKeyConstraint("reservation_lines_pk", ["tenant_id", "reservation_id", "sku"])
      .execute();
    const index = (name: string, columns: string[]) =>
      ensure(schema.createIndex(`reservations_${name}`).on("reservations").columns(columns));
    await index("overdue", ["state", "expires_at"]);
    await index("order", ["tenant_id", "order_name"]);
    await index("created_at", ["tenant_id", "created_at", "id"]);
  },
};

const reservationRevision: Migration = {
  up: ({ schema }) =>
    ensure(schema.alterTable("reservations").addColumn("revision", bigint, (column) => column.notNull().defaultTo(0))),
};

export const migrations = {
  ...idempotencyMigrations,
  ...outboxMigrations,
  ...inboxMigrations,
  "inventory-001-items": items,
  "inventory-002-stock-movements": stockMovements,
  "inventory-003-reservations": reservations,
  "inventory-004r-reservation-revision": reservationRevision,
} satisfies Record<string, Migration>;
