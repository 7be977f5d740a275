import type { ColumnType } from "kysely";
import type { Integer64 } from "../../runtime/db/columns.ts";
import type { IdempotencyTables } from "../../runtime/idempotency/tables.ts";
import type { InboxTables } from "../../runtime/inbox/tables.ts";
import type { OutboxTables } from "../../runtime/outbox/tables.ts";
import type { SagaTables } from "../../runtime/saga/store/tables.ts";

/**
 * An order. Money is in minor units of `currency`; times are epoch milliseconds; JSON is written by
 * `store/order-row.ts`.
 */
export interface OrdersTable {
  tenant_id: string;
  id: string;
  external_id: string | null;
  state: string;
  resume_state: string | null;
  payment_state: string;
  customer_id: string;
  /** Name, e-mail address and telephone number, as JSON. */
  customer: string;
  /** As JSON. */
  shipping_address: string;
  currency: string;
  shipping_fee: Integer64;
  subtotal: Integer64;
  discount_total: Integer64;
  total: Integer64;
  authorized: Integer64;
  captured: Integer64;
  refunded: Integer64;
  capture: string;
  fulfillment: string;
  payment_provider: string;
  carrier: string;
  /** As a JSON object of strings. */
  labels: string;
  note: string;
  /** As JSON; null for none. */
  payment_action: string | null;
  cancel_reason: string | null;
  /** SKUs whose stock was short, as JSON; null for none. */
  shortages: string | null;
  attention_message: string;
  payment_deadline_at: number;
  held_at: number | null;
  saga_id: string;
  late_saga_id: string | null;
  lines_saga_id: string | null;
  /** Number of announced shipments; see `rpc/fencing/fence-shipments.ts`. */
  shipment_announcements: number;
  /** Amount by which line cancellations reduced `total`. */
  cancelled_total: Integer64;
  reservation_attempt: number;
  /** When the order's personal data was erased; null if it was not. */
  anonymized_at: number | null;
  /** The e-mail address in `customer`, in lower case; a generated column. */
  customer_email: ColumnType<string | null, never, never>;
  created_at: number;
  updated_at: number;
  version: number;
}

export interface OrderLinesTable {
  tenant_id: string;
  order_id: string;
  /** 1, 2, 3, … */
  line_number: number;
  sku: string;
  title: string;
  quantity: number;
  unit_price: Integer64;
  discount: Integer64;
  discount_rate: string;
  total: Integer64;
  quantity_shipped: number;
  quantity_delivered: number;
  quantity_cancelled: number;
}

/** Timeline entries. */
export interface OrderEventsTable {
  tenant_id: string;
  order_id: string;
  sequence: number;
  type: string;
  message: string;
  state: string;
  /** As a JSON object of strings; null for none. */
  metadata: string | null;
  actor: string;
  created_at: number;
}

/** Projection of the payment service's events onto an order's payments. */
export interface OrderPaymentsTable {
  tenant_id: string;
  order_id: string;
  payment_id: string;
  /** Sequence of the last applied event; older events are ignored. */
  event_sequence: number;
  /** Authorized, and neither captured nor voided. */
  authorized: Integer64;
  captured: Integer64;
  refunded: Integer64;
}

/** Projection of the logistics service's events onto an order's shipments. */
export interface OrderShipmentsTable {
  tenant_id: string;
  order_id: string;
  shipment_id: string;
  event_sequence: number;
  /** Also 1 if it was closed. */
  cancelled: number;
  delivered: number;
  /** Line ids and quantities, as JSON. */
  lines: string;
}

/** The feed that WatchOrders reads: each timeline entry at its position, which increases by one within the tenant. */
export interface OrderFeedTable {
  tenant_id: string;
  position: number;
  order_id: string;
  sequence: number;
  created_at: number;
}

/** The last position of each tenant's feed; locked while positions are assigned. */
export interface OrderFeedHeadsTable {
  tenant_id: string;
  position: number;
  /** Entries up to this position have been pruned. */
  pruned: number;
}

export interface OrderTables {
  orders: OrdersTable;
  order_lines: OrderLinesTable;
  order_events: OrderEventsTable;
  order_payments: OrderPaymentsTable;
  order_shipments: OrderShipmentsTable;
  order_feed: OrderFeedTable;
  order_feed_heads: OrderFeedHeadsTable;
}

/** The whole schema of the order service's database. */
export interface OrderDatabase extends OrderTables, OutboxTables, InboxTables, SagaTables, IdempotencyTables {}
