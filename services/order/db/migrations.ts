import { sql } from "kysely";
import {
  bigint,
  currency,
  epochMs,
  flag,
  id,
  int,
  json,
  longText,
  minorUnits,
  notNull,
  tenantId,
  text,
} from "../../runtime/db/columns.ts";
import { ensure, type Migration } from "../../runtime/db/migrate.ts";
import { idempotencyMigrations } from "../../runtime/idempotency/migrations.ts";
import { inboxMigrations } from "../../runtime/inbox/migrations.ts";
import { outboxMigrations } from "../../runtime/outbox/migrations.ts";
import { sagaMigrations } from "../../runtime/saga/store/migrations.ts";

const orders: Migration = {
  async up({ schema }) {
    await schema
      .createTable("orders")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("id", id, notNull)
      .addColumn("external_id", text(128))
      .addColumn("state", text(32), notNull)
      .addColumn("resume_state", text(32))
      .addColumn("payment_state", text(32), notNull)
      .addColumn("customer_id", text(128), notNull)
      .addColumn("customer", json, notNull)
      .addColumn("shipping_address", json, notNull)
      .addColumn("currency", currency, notNull)
      .addColumn("shipping_fee", minorUnits, notNull)
      .addColumn("subtotal", minorUnits, notNull)
      .addColumn("discount_total", minorUnits, notNull)
      .addColumn("total", minorUnits, notNull)
      .addColumn("authorized", minorUnits, notNull)
      .addColumn("captured", minorUnits, notNull)
      .addColumn("refunded", minorUnits, notNull)
      .addColumn("capture", text(16), notNull)
      .addColumn("fulfillment", text(16), notNull)
      .addColumn("payment_provider", text(32), notNull)
      .addColumn("carrier", text(32), notNull)
      .addColumn("labels", json, notNull)
      .addColumn("note", longText, notNull)
      .addColumn("payment_action", json)
      .addColumn("cancel_reason", text(32))
      .addColumn("shortages", json)
      .addColumn("attention_message", longText, notNull)
      .addColumn("payment_deadline_at", epochMs, notNull)
      .addColumn("held_at", epochMs)
      .addColumn("saga_id", text(64), notNull)
      .addColumn("late_saga_id", text(64))
      .addColumn("reservation_attempt", int, notNull)
      .addColumn("created_at", epochMs, notNull)
      .addColumn("updated_at", epochMs, notNull)
      .addColumn("version", int, notNull)
      .addPrimaryKeyConstraint("orders_pk", ["tenant_id", "id"])
      .addUniqueConstraint("orders_external_id", ["tenant_id", "external_id"])
      .execute();
  },
};

/** One index each, because a statement that failed midway on MariaDB must be repeatable. */
const ordersByCreation = index("orders_by_creation", "orders", ["tenant_id", "created_at", "id"]);
const ordersByState = index("orders_by_state", "orders", ["tenant_id", "state", "created_at", "id"]);
const ordersByCustomer = index("orders_by_customer", "orders", ["tenant_id", "customer_id", "created_at", "id"]);

const orderLines: Migration = {
  async up({ schema }) {
    await schema
      .createTable("order_lines")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("order_id", id, notNull)
      .addColumn("line_number", int, notNull)
      .addColumn("sku", text(64), notNull)
      .addColumn("title", text(255), notNull)
      .addColumn("quantity", int, notNull)
      .addColumn("unit_price", minorUnits, notNull)
      .addColumn("discount", minorUnits, notNull)
      .addColumn("discount_rate", text(16), notNull)
      .addColumn("total", minorUnits, notNull)
      .addColumn("quantity_shipped", int, notNull)
      .addColumn("quantity_delivered", int, notNull)
      .addPrimaryKeyConstraint("order_lines_pk", ["tenant_id", "order_id", "line_number"])
      .execute();
  },
};

const orderLinesBySku = index("order_lines_by_sku", "order_lines", ["tenant_id", "sku", "order_id"]);

const orderEvents: Migration = {
  async up({ schema }) {
    await schema
      .createTable("order_events")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("order_id", id, notNull)
      .addColumn("sequence", int, notNull)
      .addColumn("type", text(64), notNull)
      .addColumn("message", longText, notNull)
      .addColumn("state", text(32), notNull)
      .addColumn("metadata", json)
      .addColumn("actor", text(255), notNull)
      .addColumn("created_at", epochMs, notNull)
      .addPrimaryKeyConstraint("order_events_pk", ["tenant_id", "order_id", "sequence"])
      .execute();
  },
};

const orderPayments: Migration = {
  async up({ schema }) {
    await schema
      .createTable("order_payments")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("order_id", id, notNull)
      .addColumn("payment_id", text(64), notNull)
      .addColumn("event_sequence", bigint, notNull)
      .addColumn("authorized", minorUnits, notNull)
      .addColumn("captured", minorUnits, notNull)
      .addColumn("refunded", minorUnits, notNull)
      .addPrimaryKeyConstraint("order_payments_pk", ["tenant_id", "order_id", "payment_id"])
      .execute();
  },
};

const orderShipments: Migration = {
  async up({ schema }) {
    await schema
      .createTable("order_shipments")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("order_id", id, notNull)
      .addColumn("shipment_id", text(64), notNull)
      .addColumn("event_sequence", bigint, notNull)
      .addColumn("cancelled", flag, notNull)
      .addColumn("delivered", flag, notNull)
      .addColumn("lines", json, notNull)
      .addPrimaryKeyConstraint("order_shipments_pk", ["tenant_id", "order_id", "shipment_id"])
      .execute();
  },
};

const orderFeed: Migration = {
  async up({ schema }) {
    await schema
      .createTable("order_feed")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("position", bigint, notNull)
      .addColumn("order_id", id, notNull)
      .addColumn("sequence", int, notNull)
      .addColumn("created_at", epochMs, notNull)
      .addPrimaryKeyConstraint("order_feed_pk", ["tenant_id", "position"])
      .addUniqueConstraint("order_feed_entry", ["tenant_id", "order_id", "sequence"])
      .execute();
    await schema
      .createTable("order_feed_heads")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, (column) => column.primaryKey())
      .addColumn("position", bigint, notNull)
      .addColumn("pruned", bigint, notNull)
      .execute();
  },
};

const shipmentAnnouncements: Migration = {
  up: ({ schema }) =>
    ensure(
      schema.alterTable("orders").addColumn("shipment_announcements", int, (column) => column.notNull().defaultTo(0)),
    ),
};

const cancelledLines: Migration = {
  async up({ schema }) {
    const orders = () => schema.alterTable("orders");
    await ensure(orders().addColumn("cancelled_total", minorUnits, (column) => column.notNull().defaultTo(0)));
    await ensure(orders().addColumn("lines_saga_id", text(64)));
    await ensure(
      schema.alterTable("order_lines").addColumn("quantity_cancelled", int, (column) => column.notNull().defaultTo(0)),
    );
  },
};

const anonymizedAt: Migration = {
  up: ({ schema }) => ensure(schema.alterTable("orders").addColumn("anonymized_at", epochMs)),
};

const customerEmail: Migration = {
  async up({ schema }, dialect) {
    const email = sql<string>`lower(${sql.raw(
      dialect === "sqlite" ? "json_extract(customer, '$.email')" : "json_unquote(json_extract(customer, '$.email'))",
    )})`;
    await ensure(
      schema.alterTable("orders").addColumn("customer_email", text(254), (column) => column.generatedAlwaysAs(email)),
    );
    await ensure(schema.createIndex("orders_by_email").on("orders").columns(["tenant_id", "customer_email", "id"]));
  },
};

function index(name: string, table: string, columns: readonly string[]): Migration {
  return {
    up: ({ schema }) =>
      ensure(
        schema
          .createIndex(name)
          .on(table)
          .columns([...columns]),
      ),
  };
}

/** The order service's own migrations, in order. Names are recorded in the database: never rename one. */
const orderMigrations: Readonly<Record<string, Migration>> = {
  "order-001-orders": orders,
  "order-002-orders-by-creation": ordersByCreation,
  "order-003-orders-by-state": ordersByState,
  "order-004-orders-by-customer": ordersByCustomer,
  "order-005-order-lines": orderLines,
  "order-006-order-lines-by-sku": orderLinesBySku,
  "order-007-order-events": orderEvents,
  "order-008-order-payments": orderPayments,
  "order-009-order-shipments": orderShipments,
  "order-010-order-feed": orderFeed,
  "order-011r-shipment-announcements": shipmentAnnouncements,
  "order-012r-cancelled-lines": cancelledLines,
  "order-013p-anonymized-at": anonymizedAt,
  "order-014p-customer-email": customerEmail,
};

/** All migrations of the order service's database. */
export const migrations: Readonly<Record<string, Migration>> = {
  ...orderMigrations,
  ...idempotencyMigrations,
  ...outboxMigrations,
  ...inboxMigrations,
  ...sagaMigrations,
};
