import type { CallbackInboxTables } from "../../runtime/callbacks/tables.ts";
import type { IdempotencyTables } from "../../runtime/idempotency/idempotent.ts";
import type { OutboxTables } from "../../runtime/outbox/tables.ts";
import type { CallbackTables } from "../../runtime/webhooks/tables.ts";
import type { Booking } from "../domain/shipment.ts";
import type { ShipmentState } from "../domain/shipment-state.ts";

/** One row per order: its lock decides what of the order may still be shipped. Times are epoch milliseconds. */
export interface OrderShippingTable {
  tenant_id: string;
  order_id: string;
  /** Set when the order was cancelled: nothing of it is shipped any more. */
  closed_at: number | null;
  /** Grows where a CreateShipment that began before must not go on. */
  fence: number;
}

export interface ShipmentsTable {
  tenant_id: string;
  /** A ULID; what the shipment's other rows refer to. */
  id: string;
  order_id: string;
  /** The last part of the resource name. */
  number: string;
  carrier: string;
  carrier_service: string;
  booking: Booking;
  tracking_number: string | null;
  tracking_url: string | null;
  /** JSON of `Destination`. */
  destination: string;
  /** A JSON object of texts. */
  labels: string;
  /** The greatest state that was told, with the time and the id of the event that told it. */
  state: ShipmentState;
  state_at: number;
  state_event_id: string;
  collected: number;
  delivered_at: number | null;
  /** Set when we have cancelled it: then the state is fixed. */
  cancelled_at: number | null;
  /** Set when it was closed as lost or returned: then the state is fixed as well. */
  closed_at: number | null;
  cancel_requested: number;
  /** When there is something to do with the carrier, by the database's clock; see `claimDue`. */
  due_at: number | null;
  attempt: number;
  /** How often in a row the carrier could not be asked. */
  failures: number;
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
  /** Units that went back into stock when the shipment was closed. */
  restocked: number;
}

export interface TrackingEventsTable {
  tenant_id: string;
  shipment_id: string;
  /** The carrier's own id. */
  event_id: string;
  state: ShipmentState | null;
  carrier_status: string;
  message: string;
  location: string;
  occurred_at: number;
  received_at: number;
}

/** The sandbox carrier's own books: they stand for a computer of somebody else. */
export interface SandboxParcelsTable {
  reference: string;
  tracking_number: string;
  service: string;
  booked_at: number;
  cancelled_at: number | null;
  /** How often it was asked where the parcel is; moves those that only move when asked. */
  asked: number;
}

/** Everything in the logistics service's database. */
export interface LogisticsDatabase extends CallbackInboxTables, CallbackTables, IdempotencyTables, OutboxTables {
  order_shipping: OrderShippingTable;
  shipments: ShipmentsTable;
  shipment_lines: ShipmentLinesTable;
  tracking_events: TrackingEventsTable;
  sandbox_parcels: SandboxParcelsTable;
}
