import type { ColumnType } from "kysely";
import type { Integer64 } from "../../runtime/db/columns.ts";
import type { IdempotencyTables } from "../../runtime/idempotency/idempotent.ts";
import type { InboxTables } from "../../runtime/inbox/tables.ts";
import type { OutboxTables } from "../../runtime/outbox/tables.ts";
import type { SagaTables } from "../../runtime/saga/store/tables.ts";

/** One order. Money is minor units of `currency`; times are epoch milliseconds; JSON is written by `store/order-row.ts`. */
export interface OrdersTable {
  tenant_id: string;
  id: string;
  external_id: string | null;
  state: string;
  resume_state: string | null;
  payment_state: string;
  customer_id: string;
  /** Name, e-mail and telephone, as JSON. */
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
  /** As a JSON object of texts. */
  labels: string;
  note: string;
  /** As JSON; null for none. */
  payment_action: string | null;
  cancel_reason: string | null;
  /** SKUs of which there was not enough, as JSON; null for none. */
  shortages: string | null;
  attention_message: string;
  payment_deadline_at: number;
  held_at: number | null;
  saga_id: string;
  late_saga_id: string | null;
  lines_saga_id: string | null;
  /** How often a shipment was announced; see `rpc/fence-shipments.ts`. */
  shipment_announcements: number;
  /** What was taken off `total` by cancelling lines. */
  cancelled_total: Integer64;
  reservation_attempt: number;
  /** When the order's personal data was erased; null for orders that have theirs. */
  anonymized_at: number | null;
  /** The e-mail address in `customer`, in lower case: the database derives it. */
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

/** The timelines. */
export interface OrderEventsTable {
  tenant_id: string;
  order_id: string;
  sequence: number;
  type: string;
  message: string;
  state: string;
  /** As a JSON object of texts; null for none. */
  metadata: string | null;
  actor: string;
  created_at: number;
}

/** What the order service knows of its orders' payments, from the payment service's events. */
export interface OrderPaymentsTable {
  tenant_id: string;
  order_id: string;
  payment_id: string;
  /** The sequence of the event that told it: older events change nothing. */
  event_sequence: number;
  /** Promised and neither taken nor given up. */
  authorized: Integer64;
  captured: Integer64;
  refunded: Integer64;
}

/** What the order service knows of its orders' shipments, from the logistics service's events. */
export interface OrderShipmentsTable {
  tenant_id: string;
  order_id: string;
  shipment_id: string;
  event_sequence: number;
  /** Also where it was closed. */
  cancelled: number;
  delivered: number;
  /** Line ids and quantities, as JSON. */
  lines: string;
}

/** What WatchOrders reads: each timeline entry at its position, which grows by one within the tenant. */
export interface OrderFeedTable {
  tenant_id: string;
  position: number;
  order_id: string;
  sequence: number;
  created_at: number;
}

/** The last position of each tenant's feed; locked while positions are given. */
export interface OrderFeedHeadsTable {
  tenant_id: string;
  position: number;
  /** Entries up to here are no longer kept. */
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
