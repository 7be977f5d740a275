import type { Selectable } from "kysely";
import { defineMapping } from "../../runtime/commands/mapping.ts";
import { defineTable } from "../../runtime/commands/table.ts";
import type {
  OrderEventsTable,
  OrderFeedHeadsTable,
  OrderFeedTable,
  OrderLinesTable,
  OrderPaymentsTable,
  OrderShipmentsTable,
} from "../db/schema.ts";
import type { Order, TimelineEntry } from "../domain/order.ts";
import { fromEventRow, fromOrderRow, type OrderRow, toEventRow, toLineRow, toOrderRow } from "./order-row.ts";

/** Mappings by which commands read and write the order service's aggregates. */

type OrderKey = readonly [tenant: string, id: string];
type EntryKey = readonly [tenant: string, orderId: string, sequence: number];
type PositionKey = readonly [tenant: string, position: number];

/** Orders with their lines. */
export const orders = defineMapping({
  root: defineTable<OrderRow>({
    name: "orders",
    key: ["tenant_id", "id"],
    columns: [
      ...(["tenant_id", "id", "external_id", "state", "resume_state", "payment_state", "customer_id"] as const),
      ...(["customer", "shipping_address", "currency", "shipping_fee", "subtotal", "discount_total"] as const),
      ...(["total", "authorized", "captured", "refunded", "capture", "fulfillment", "payment_provider"] as const),
      ...(["carrier", "labels", "note", "payment_action", "cancel_reason", "shortages"] as const),
      ...(["attention_message", "payment_deadline_at", "held_at", "saga_id", "late_saga_id"] as const),
      ...(["lines_saga_id", "shipment_announcements", "cancelled_total", "reservation_attempt"] as const),
      ...(["anonymized_at", "created_at", "updated_at", "version"] as const),
    ],
    version: "version",
  }),
  parts: {
    lines: defineTable<Selectable<OrderLinesTable>>({
      name: "order_lines",
      key: ["tenant_id", "order_id", "line_number"],
      columns: [
        ...(["tenant_id", "order_id", "line_number", "sku", "title", "quantity", "unit_price", "discount"] as const),
        ...(["discount_rate", "total", "quantity_shipped", "quantity_delivered", "quantity_cancelled"] as const),
      ],
    }),
  },
  unique: { externalId: ["tenant_id", "external_id"] },
  keyOf: ({ tenant, id }: Order): OrderKey => [tenant, id],
  fromRows: (row, { lines }) => fromOrderRow(row, lines),
  toRow: toOrderRow,
  toParts: (order) => ({ lines: order.lines.map((line) => toLineRow(order, line)) }),
});

/** An entry of one order's timeline. */
export interface OrderTimelineEntry {
  readonly tenant: string;
  readonly orderId: string;
  readonly entry: TimelineEntry;
}

/** Timelines: entries are only inserted. */
export const timeline = defineMapping({
  root: defineTable<Selectable<OrderEventsTable>>({
    name: "order_events",
    key: ["tenant_id", "order_id", "sequence"],
    columns: [
      ...(["tenant_id", "order_id", "sequence", "type", "message", "state", "metadata", "actor"] as const),
      "created_at",
    ],
  }),
  keyOf: ({ tenant, orderId, entry }: OrderTimelineEntry): EntryKey => [tenant, orderId, entry.sequence],
  fromRows: (row) => ({ tenant: row.tenant_id, orderId: row.order_id, entry: fromEventRow(row) }),
  toRow: ({ tenant, orderId, entry }) => toEventRow({ tenant, id: orderId }, entry),
});

/** Feeds: entries are only inserted, and pruned by retention. */
export const feed = defineMapping({
  root: defineTable<OrderFeedTable>({
    name: "order_feed",
    key: ["tenant_id", "position"],
    columns: ["tenant_id", "position", "order_id", "sequence", "created_at"],
  }),
  keyOf: ({ tenant_id, position }: OrderFeedTable): PositionKey => [tenant_id, position],
  fromRows: (row) => row,
  toRow: (row) => row,
});

/** The ends of the tenants' feeds. */
export const feedHeads = defineMapping({
  root: defineTable<OrderFeedHeadsTable>({
    name: "order_feed_heads",
    key: ["tenant_id"],
    columns: ["tenant_id", "position", "pruned"],
  }),
  keyOf: ({ tenant_id }: OrderFeedHeadsTable): readonly [tenant: string] => [tenant_id],
  fromRows: (row) => row,
  toRow: (row) => row,
});

/** Projections of payments, also by `order`. */
export const paymentProjections = defineMapping({
  root: defineTable<Selectable<OrderPaymentsTable>>({
    name: "order_payments",
    key: ["tenant_id", "order_id", "payment_id"],
    columns: ["tenant_id", "order_id", "payment_id", "event_sequence", "authorized", "captured", "refunded"],
  }),
  indexes: { order: { columns: ["tenant_id", "order_id"], name: "primary" } },
  keyOf: (row: Selectable<OrderPaymentsTable>) => [row.tenant_id, row.order_id, row.payment_id] as const,
  fromRows: (row) => row,
  toRow: (row) => row,
});

/** Projections of shipments, also by `order`. */
export const shipmentProjections = defineMapping({
  root: defineTable<OrderShipmentsTable>({
    name: "order_shipments",
    key: ["tenant_id", "order_id", "shipment_id"],
    columns: ["tenant_id", "order_id", "shipment_id", "event_sequence", "cancelled", "delivered", "lines"],
  }),
  indexes: { order: { columns: ["tenant_id", "order_id"], name: "primary" } },
  keyOf: (row: OrderShipmentsTable) => [row.tenant_id, row.order_id, row.shipment_id] as const,
  fromRows: (row) => row,
  toRow: (row) => row,
});
