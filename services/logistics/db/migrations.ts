import { type ColumnDefinitionBuilder, sql } from "kysely";
import { callbackInboxMigrations } from "../../runtime/callbacks/migrations.ts";
import { bytes, epochMs, flag, id, int, json, longText, notNull, tenantId, text } from "../../runtime/db/columns.ts";
import { ensure, type Migration } from "../../runtime/db/migrate.ts";
import { idempotencyMigrations } from "../../runtime/idempotency/migrations.ts";
import { outboxMigrations } from "../../runtime/outbox/migrations.ts";
import { callbackMigrations } from "../../runtime/webhooks/migrations.ts";

const orderId = text(64);
const carrier = text(32);
const trackingNumber = text(128);
const eventId = text(128);

const shipments: Migration = {
  async up({ schema }) {
    await schema
      .createTable("order_shipping")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("order_id", orderId, notNull)
      .addColumn("closed_at", epochMs)
      .addPrimaryKeyConstraint("order_shipping_pk", ["tenant_id", "order_id"])
      .execute();
    await schema
      .createTable("shipments")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("id", id, notNull)
      .addColumn("order_id", orderId, notNull)
      .addColumn("number", text(64), notNull)
      .addColumn("carrier", carrier, notNull)
      .addColumn("carrier_service", text(64), notNull)
      .addColumn("booking", text(16), notNull)
      .addColumn("tracking_number", trackingNumber)
      .addColumn("tracking_url", longText)
      .addColumn("destination", json, notNull)
      .addColumn("labels", json, notNull)
      .addColumn("state", text(16), notNull)
      .addColumn("state_at", epochMs, notNull)
      .addColumn("state_event_id", eventId, notNull)
      .addColumn("collected", flag, notNull)
      .addColumn("delivered_at", epochMs)
      .addColumn("cancelled_at", epochMs)
      .addColumn("cancel_requested", flag, notNull)
      .addColumn("due_at", epochMs)
      .addColumn("attempt", int, notNull)
      .addColumn("failures", int, notNull)
      .addColumn("created_at", epochMs, notNull)
      .addColumn("updated_at", epochMs, notNull)
      .addColumn("version", int, notNull)
      .addPrimaryKeyConstraint("shipments_pk", ["tenant_id", "order_id", "number"])
      .addUniqueConstraint("shipments_id", ["id"])
      .execute();
    const index = (name: string, columns: string[]) =>
      ensure(schema.createIndex(`shipments_${name}`).on("shipments").columns(columns));
    await index("created_at", ["tenant_id", "created_at", "id"]);
    await index("state", ["tenant_id", "state", "created_at", "id"]);
    await index("tracking_number", ["carrier", "tracking_number"]);
    await index("due_at", ["due_at"]);
  },
};

const shipmentLines: Migration = {
  async up({ schema }) {
    await schema
      .createTable("shipment_lines")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("shipment_id", id, notNull)
      .addColumn("line_item_id", text(16), notNull)
      .addColumn("sku", text(63), notNull)
      .addColumn("quantity", int, notNull)
      .addPrimaryKeyConstraint("shipment_lines_pk", ["tenant_id", "shipment_id", "line_item_id"])
      .execute();
  },
};

const trackingEvents: Migration = {
  async up({ schema }) {
    await schema
      .createTable("tracking_events")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("shipment_id", id, notNull)
      .addColumn("event_id", eventId, notNull)
      .addColumn("state", text(16))
      .addColumn("carrier_status", text(64), notNull)
      .addColumn("message", longText, notNull)
      .addColumn("location", longText, notNull)
      .addColumn("occurred_at", epochMs, notNull)
      .addColumn("received_at", epochMs, notNull)
      .addPrimaryKeyConstraint("tracking_events_pk", ["tenant_id", "shipment_id", "event_id"])
      .execute();
  },
};

const carrierCallbacks: Migration = {
  async up({ schema }) {
    await schema
      .createTable("carrier_callbacks")
      .ifNotExists()
      .addColumn("id", id, (column) => column.primaryKey())
      .addColumn("carrier", carrier, notNull)
      .addColumn("event_id", eventId)
      .addColumn("tenant_id", tenantId)
      .addColumn("tracking_number", trackingNumber)
      .addColumn("state", text(16), notNull)
      .addColumn("headers", json, notNull)
      .addColumn("body", bytes, notNull)
      .addColumn("error", longText)
      .addColumn("due_at", epochMs)
      .addColumn("attempt", int, notNull)
      .addColumn("received_at", epochMs, notNull)
      .addColumn("processed_at", epochMs)
      .addUniqueConstraint("carrier_callbacks_event", ["carrier", "event_id"])
      .execute();
    const index = (name: string, columns: string[]) =>
      ensure(schema.createIndex(`carrier_callbacks_${name}`).on("carrier_callbacks").columns(columns));
    await index("due_at", ["due_at"]);
    await index("tracking_number", ["carrier", "tracking_number"]);
    await index("received_at", ["received_at"]);
  },
};

const sandboxParcels: Migration = {
  async up({ schema }) {
    await schema
      .createTable("sandbox_parcels")
      .ifNotExists()
      .addColumn("reference", text(160), (column) => column.primaryKey())
      .addColumn("tracking_number", trackingNumber, notNull)
      .addColumn("service", text(64), notNull)
      .addColumn("booked_at", epochMs, notNull)
      .addColumn("cancelled_at", epochMs)
      .addColumn("asked", int, notNull)
      .execute();
  },
};

/** Adds one column to each table; existing rows have no value. */
const closings: Migration = {
  async up({ schema }) {
    const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0);
    await ensure(schema.alterTable("order_shipping").addColumn("fence", int, zero));
    await ensure(schema.alterTable("shipments").addColumn("closed_at", epochMs));
    await ensure(schema.alterTable("shipment_lines").addColumn("restocked", int, zero));
  },
};

const parcelsByBooking: Migration = {
  up: ({ schema }) => ensure(schema.createIndex("sandbox_parcels_booked_at").on("sandbox_parcels").column("booked_at")),
};

/** The key by which commands name shipments, as lines and tracking events do. */
const shipmentsByTenant: Migration = {
  up: ({ schema }) =>
    ensure(schema.createIndex("shipments_tenant_id").unique().on("shipments").columns(["tenant_id", "id"])),
};

const shipmentTraces: Migration = {
  up: ({ schema }) => ensure(schema.alterTable("shipments").addColumn("traceparent", text(64))),
};

/**
 * Moves verified callbacks to the inbox and deletes unverified ones. The empty table remains for processes of the
 * previous version that are still running.
 */
const callbacksToInbox: Migration = {
  async up(kysely) {
    await sql`
      insert into inbound_callbacks
        (id, source, event_id, event_type, tenant_id, subject, reference, state, headers, body, receive_count,
          failure_message, received_at, processed_at, attempt, due_at)
      select id, carrier, event_id, '', tenant_id, '', tracking_number,
        case state when 'VERIFIED' then 'RECEIVED' when 'PROCESSED' then 'PROCESSED' else 'FAILED' end,
        headers, body, 1, coalesce(error, ''), received_at, processed_at, attempt, due_at
      from carrier_callbacks as moved
      where event_id is not null and state in ('VERIFIED', 'PROCESSED', 'UNMATCHED', 'UNREADABLE')
        and not exists (select 1 from inbound_callbacks as kept where kept.id = moved.id)`.execute(kysely);
    await sql`delete from carrier_callbacks`.execute(kysely);
  },
};

/**
 * Empties the tables of the sandbox, which has a database of its own. They stay for processes of the previous version
 * that are still running.
 */
const sandboxMoved: Migration = {
  async up(kysely) {
    for (const table of ["callbacks", "sandbox_parcels"]) {
      await sql`delete from ${sql.table(table)}`.execute(kysely);
    }
  },
};

export const migrations = {
  ...idempotencyMigrations,
  ...outboxMigrations,
  ...callbackMigrations,
  "logistics-001-shipments": shipments,
  "logistics-002-shipment-lines": shipmentLines,
  "logistics-003-tracking-events": trackingEvents,
  "logistics-004-carrier-callbacks": carrierCallbacks,
  "logistics-005-sandbox-parcels": sandboxParcels,
  "logistics-006r-closings": closings,
  ...callbackInboxMigrations,
  "logistics-006d-callbacks-to-inbox": callbacksToInbox,
  "logistics-007p-parcels-by-booking": parcelsByBooking,
  "logistics-008-shipments-by-tenant": shipmentsByTenant,
  "logistics-009-sandbox-moved": sandboxMoved,
  "logistics-010-shipment-traces": shipmentTraces,
} satisfies Record<string, Migration>;
