import type { CallbackInboxTables } from "../../runtime/callbacks/tables.ts";
import type { IdempotencyTables } from "../../runtime/idempotency/tables.ts";
import type { OutboxTables } from "../../runtime/outbox/tables.ts";
import type { Booking } from "../domain/shipment.ts";
import type { ShipmentState } from "../domain/shipment-state.ts";

/** One row per order. Its lock serializes decisions on what may still be shipped. Times are epoch milliseconds. */
export interface OrderShippingTable {
  tenant_id: string;
  order_id: string;
  /** When the order was cancelled. No further shipments can be created. */
  closed_at: number | null;
  /** Fencing token. Incremented to reject every CreateShipment that is already in progress. */
  fence: number;
}

export interface ShipmentsTable {
  tenant_id: string;
  /** A ULID, referenced by the shipment's rows in other tables. */
  id: string;
  order_id: string;
  /** The last segment of the resource name. */
  number: string;
  carrier: string;
  carrier_service: string;
  booking: Booking;
  tracking_number: string | null;
  tracking_url: string | null;
  /** JSON of `Destination`. */
  destination: string;
  /** A JSON object with string values. */
  labels: string;
  /** The greatest reported state; the next two columns hold its event's time and id. */
  state: ShipmentState;
  state_at: number;
  state_event_id: string;
  collected: number;
  delivered_at: number | null;
  /** When Docket cancelled the shipment. The state is then final. */
  cancelled_at: number | null;
  /** When the shipment was closed as lost or returned. The state is then final. */
  closed_at: number | null;
  cancel_requested: number;
  /** When the next carrier call is due, by the database's clock; see `claimDue`. */
  due_at: number | null;
  attempt: number;
  /** Consecutive failed carrier calls. */
  failures: number;
  /** The W3C `traceparent` of the call that created it; null outside a trace. */
  traceparent: string | null;
  created_at: number;
  updated_at: number;
  version: number;
}

export interface ShipmentLinesTable {
  tenant_id: string;
  shipment_id: string;
  line_item_id: string;
  sku: string;
  quantity: number;
  /** Units returned to stock when the shipment was closed. */
  restocked: number;
}

export interface TrackingEventsTable {
  tenant_id: string;
  shipment_id: string;
  /** The carrier's event id. */
  event_id: string;
  state: ShipmentState | null;
  carrier_status: string;
  message: string;
  location: string;
  occurred_at: number;
  received_at: number;
}

/** All tables of the logistics service's database. */
export interface LogisticsDatabase extends CallbackInboxTables, IdempotencyTables, OutboxTables {
  order_shipping: OrderShippingTable;
  shipments: ShipmentsTable;
  shipment_lines: ShipmentLinesTable;
  tracking_events: TrackingEventsTable;
}
