import { sql } from "kysely";
import { callbackInboxMigrations } from "../../runtime/callbacks/migrations.ts";
import {
  bytes,
  currency,
  epochMs,
  flag,
  id,
  int,
  longText,
  minorUnits,
  notNull,
  tenantId,
  text,
} from "../../runtime/db/columns.ts";
import { ensure, type Migration } from "../../runtime/db/migrate.ts";
import { outboxMigrations } from "../../runtime/outbox/migrations.ts";
import { callbackMigrations } from "../../runtime/webhooks/migrations.ts";
import { sandboxTables } from "./sandbox-migrations.ts";

const payments: Migration = {
  async up({ schema }) {
    await schema
      .createTable("payments")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("order_id", text(64), notNull)
      .addColumn("payment_id", text(64), notNull)
      .addColumn("id", id, notNull)
      .addColumn("provider", text(32), notNull)
      .addColumn("provider_reference", text(255))
      .addColumn("currency", currency, notNull)
      .addColumn("amount", minorUnits, notNull)
      .addColumn("authorized", minorUnits, notNull)
      .addColumn("captured", minorUnits, notNull)
      .addColumn("refunded", minorUnits, notNull)
      .addColumn("action_required", flag, notNull)
      .addColumn("failed", flag, notNull)
      .addColumn("expired", flag, notNull)
      .addColumn("voided", flag, notNull)
      .addColumn("state", text(16), notNull)
      .addColumn("capture_automatically", flag, notNull)
      .addColumn("settling", flag, notNull)
      .addColumn("settle_reason", text(255), notNull)
      .addColumn("client_secret", text(255), notNull)
      .addColumn("redirect_url", longText, notNull)
      .addColumn("failure_message", longText, notNull)
      .addColumn("created_at", epochMs, notNull)
      .addColumn("updated_at", epochMs, notNull)
      .addColumn("expires_at", epochMs, notNull)
      .addColumn("version", int, notNull)
      .addColumn("attempt", int, notNull)
      .addColumn("due_at", epochMs)
      .addPrimaryKeyConstraint("payments_pk", ["tenant_id", "order_id", "payment_id"])
      .execute();
    await ensure(schema.createIndex("payments_id").unique().on("payments").columns(["tenant_id", "id"]));
    await ensure(schema.createIndex("payments_order").on("payments").columns(["tenant_id", "order_id", "id"]));
    await ensure(schema.createIndex("payments_uid").unique().on("payments").column("id"));
    await ensure(
      schema.createIndex("payments_reference").unique().on("payments").columns(["provider", "provider_reference"]),
    );
    await ensure(schema.createIndex("payments_due_at").on("payments").column("due_at"));
  },
};

const refunds: Migration = {
  async up({ schema }) {
    await schema
      .createTable("refunds")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("payment_uid", id, notNull)
      .addColumn("id", text(255), notNull)
      .addColumn("provider_reference", text(255))
      .addColumn("amount", minorUnits, notNull)
      .addColumn("state", text(16), notNull)
      .addColumn("settlement", flag, notNull)
      .addColumn("reason", text(255), notNull)
      .addColumn("failure_message", longText, notNull)
      .addColumn("created_at", epochMs, notNull)
      .addPrimaryKeyConstraint("refunds_pk", ["tenant_id", "payment_uid", "id"])
      .execute();
  },
};

const paymentMovements: Migration = {
  async up({ schema }) {
    await schema
      .createTable("payment_movements")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("payment_uid", id, notNull)
      .addColumn("id", id, notNull)
      .addColumn("kind", text(16), notNull)
      .addColumn("amount", minorUnits, notNull)
      .addColumn("currency", currency, notNull)
      .addColumn("cause", text(64), notNull)
      .addColumn("created_at", epochMs, notNull)
      .addPrimaryKeyConstraint("payment_movements_pk", ["tenant_id", "payment_uid", "id"])
      .execute();
  },
};

const paymentOperations: Migration = {
  async up({ schema }) {
    await schema
      .createTable("payment_operations")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("payment_uid", id, notNull)
      .addColumn("id", id, notNull)
      .addColumn("kind", text(16), notNull)
      .addColumn("provider_key", text(255), notNull)
      .addColumn("state", text(16), notNull)
      .addColumn("amount", minorUnits, notNull)
      .addColumn("refund_id", text(255))
      .addColumn("payment_token", text(1024), notNull)
      .addColumn("message", longText, notNull)
      .addColumn("request_key", text(160))
      .addColumn("request_hash", text(64), notNull)
      .addColumn("response", bytes)
      .addColumn("created_at", epochMs, notNull)
      .addColumn("attempt", int, notNull)
      .addColumn("due_at", epochMs)
      .addPrimaryKeyConstraint("payment_operations_pk", ["tenant_id", "payment_uid", "id"])
      .execute();
    const index = (name: string) => schema.createIndex(`payment_operations_${name}`).on("payment_operations");
    await ensure(index("id").unique().column("id"));
    await ensure(index("request").unique().columns(["tenant_id", "request_key"]));
    await ensure(index("due_at").column("due_at"));
  },
};

const paymentCallbacks: Migration = {
  async up({ schema }) {
    await schema
      .createTable("payment_callbacks")
      .ifNotExists()
      .addColumn("tenant_id", tenantId, notNull)
      .addColumn("id", id, (column) => column.primaryKey())
      .addColumn("provider", text(32), notNull)
      .addColumn("event_id", text(255), notNull)
      .addColumn("event_type", text(255), notNull)
      .addColumn("state", text(16), notNull)
      .addColumn("payment", text(160), notNull)
      .addColumn("body", bytes, notNull)
      .addColumn("receive_count", int, notNull)
      .addColumn("failure_message", longText, notNull)
      .addColumn("created_at", epochMs, notNull)
      .addColumn("processed_at", epochMs)
      .addColumn("attempt", int, notNull)
      .addColumn("due_at", epochMs)
      .execute();
    const index = (name: string) => schema.createIndex(`payment_callbacks_${name}`).on("payment_callbacks");
    await ensure(index("event").unique().columns(["provider", "event_id"]));
    await ensure(index("tenant").columns(["tenant_id", "id"]));
    await ensure(index("payment").columns(["tenant_id", "payment", "id"]));
    await ensure(index("due_at").column("due_at"));
  },
};

/** Moves callbacks to the inbox. The empty table stays for processes of the previous version that are still running. */
const callbacksToInbox: Migration = {
  async up(kysely) {
    await sql`
      insert into inbound_callbacks
        (id, source, event_id, event_type, tenant_id, subject, reference, state, headers, body, receive_count,
          failure_message, received_at, processed_at, attempt, due_at)
      select id, provider, event_id, event_type, case when payment = '' then null else tenant_id end, payment, null,
        state, '{}', body, receive_count, failure_message, created_at, processed_at, attempt, due_at
      from payment_callbacks as moved
      where not exists (select 1 from inbound_callbacks as kept where kept.id = moved.id)`.execute(kysely);
    await sql`delete from payment_callbacks`.execute(kysely);
  },
};

const operationRetention: Migration = {
  async up(kysely) {
    const { schema } = kysely;
    await ensure(schema.alterTable("payment_operations").addColumn("prune_at", epochMs));
    await ensure(schema.createIndex("payment_operations_prune_at").on("payment_operations").column("prune_at"));
    await sql`
      update payment_operations set prune_at = created_at + 259200000
      where due_at is null and (response is not null or request_key is not null)`.execute(kysely);
  },
};

const paymentMismatches: Migration = {
  up: ({ schema }) => ensure(schema.alterTable("payments").addColumn("mismatch_message", longText)),
};

/** Makes callers' keys unique over all methods: removes the method name with which they began. */
const requestKeys: Migration = {
  async up(kysely, dialect) {
    const ignore = sql.raw(dialect === "sqlite" ? "or ignore" : "ignore");
    for (const method of ["CapturePayment/", "VoidPayment/", "RefundPayment/"]) {
      await sql`
        update ${ignore} payment_operations set request_key = substr(request_key, ${method.length + 1})
        where request_key like ${`${method}%`}`.execute(kysely);
    }
  },
};

/**
 * Empties the tables of the sandbox, which has a database of its own. They stay for processes of the previous version
 * that are still running.
 */
const sandboxMoved: Migration = {
  async up(kysely) {
    for (const table of ["callbacks", "sandbox_steps", "sandbox_payments"]) {
      await sql`delete from ${sql.table(table)}`.execute(kysely);
    }
  },
};

const operationTraces: Migration = {
  up: ({ schema }) => ensure(schema.alterTable("payment_operations").addColumn("traceparent", text(64))),
};

/** In the order in which they were added; never renamed. */
export const migrations = {
  ...outboxMigrations,
  ...callbackMigrations,
  "payment-0001-payments": payments,
  "payment-0002-refunds": refunds,
  "payment-0003-movements": paymentMovements,
  "payment-0004-operations": paymentOperations,
  "payment-0005-callbacks": paymentCallbacks,
  "payment-0006-sandbox": sandboxTables,
  ...callbackInboxMigrations,
  "payment-0007d-callbacks-to-inbox": callbacksToInbox,
  "payment-0008d-operation-retention": operationRetention,
  "payment-0009o-mismatches": paymentMismatches,
  "payment-0010b-request-keys": requestKeys,
  "payment-0011-sandbox-moved": sandboxMoved,
  "payment-0012-operation-traces": operationTraces,
} satisfies Record<string, Migration>;
