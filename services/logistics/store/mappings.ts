import type { Selectable } from "kysely";
import { defineMapping } from "../../runtime/commands/mapping.ts";
import { defineTable } from "../../runtime/commands/table.ts";
import type { OrderShippingTable, ShipmentLinesTable, ShipmentsTable, TrackingEventsTable } from "../db/schema.ts";
import type { StoredShipment } from "../domain/shipment.ts";
import { toShipment } from "./shipment-rows.ts";

/** Mappings by which commands read and write the logistics service's aggregates. */

type ShipmentId = readonly [tenant: string, id: string];

export const shipments = defineMapping({
  root: defineTable<Selectable<ShipmentsTable>>({
    name: "shipments",
    key: ["tenant_id", "id"],
    keyIndex: "shipments_tenant_id",
    columns: [
      ...(["tenant_id", "id", "order_id", "number", "carrier", "carrier_service", "booking"] as const),
      ...(["tracking_number", "tracking_url", "destination", "labels", "state", "state_at"] as const),
      ...(["state_event_id", "collected", "delivered_at", "cancelled_at", "closed_at"] as const),
      ...([
        "cancel_requested",
        "due_at",
        "attempt",
        "failures",
        "traceparent",
        "created_at",
        "updated_at",
        "version",
      ] as const),
    ],
    version: "version",
  }),
  parts: {
    lines: defineTable<Selectable<ShipmentLinesTable>>({
      name: "shipment_lines",
      key: ["tenant_id", "shipment_id", "line_item_id"],
      columns: ["tenant_id", "shipment_id", "line_item_id", "sku", "quantity", "restocked"],
    }),
    events: defineTable<Selectable<TrackingEventsTable>>({
      name: "tracking_events",
      key: ["tenant_id", "shipment_id", "event_id"],
      columns: [
        ...(["tenant_id", "shipment_id", "event_id", "state", "carrier_status", "message", "location"] as const),
        ...(["occurred_at", "received_at"] as const),
      ],
    }),
  },
  unique: { name: ["tenant_id", "order_id", "number"] },
  indexes: {
    order: { columns: ["tenant_id", "order_id"], name: "primary" },
    // A carrier may use a number again.
    trackingNumber: { columns: ["carrier", "tracking_number"], name: "shipments_tracking_number" },
  },
  keyOf: ({ tenant, id }: StoredShipment): ShipmentId => [tenant, id],
  fromRows: (row, { lines, events }) => toShipment(row, lines, events),
  toRow: (shipment) => ({
    tenant_id: shipment.tenant,
    id: shipment.id,
    order_id: shipment.orderId,
    number: shipment.number,
    carrier: shipment.carrier,
    carrier_service: shipment.carrierService,
    booking: shipment.booking,
    tracking_number: shipment.trackingNumber ?? null,
    tracking_url: shipment.trackingUrl ?? null,
    destination: JSON.stringify(shipment.destination),
    labels: JSON.stringify(shipment.labels),
    state: shipment.progress.reported.state,
    state_at: shipment.progress.reported.at,
    state_event_id: shipment.progress.reported.eventId,
    collected: Number(shipment.progress.collected),
    delivered_at: shipment.progress.deliveredAt ?? null,
    cancelled_at: shipment.cancelledAt ?? null,
    closed_at: shipment.progress.closedAt ?? null,
    cancel_requested: Number(shipment.cancelRequested),
    due_at: shipment.dueAt ?? null,
    attempt: shipment.attempt,
    failures: shipment.failures,
    traceparent: shipment.traceparent ?? null,
    created_at: shipment.createdAt,
    updated_at: shipment.updatedAt,
    version: shipment.version,
  }),
  toParts: ({ tenant, id, lines, events }) => ({
    lines: lines.map(({ lineItemId, sku, quantity, restocked = 0 }) => ({
      tenant_id: tenant,
      shipment_id: id,
      line_item_id: lineItemId,
      ...{ sku, quantity, restocked },
    })),
    events: events.map((event) => ({
      tenant_id: tenant,
      shipment_id: id,
      event_id: event.eventId,
      state: event.state ?? null,
      carrier_status: event.status,
      message: event.message,
      location: event.location,
      occurred_at: event.occurredAt,
      received_at: event.receivedAt,
    })),
  }),
});

/** Shipping status of an order. Commands that decide what may still be shipped lock it, and insert it if absent. */
export interface OrderShipping {
  readonly tenant: string;
  readonly orderId: string;
  /** When the order was cancelled; no further shipments can be created. */
  readonly closedAt: number | undefined;
  /** Incremented to reject every CreateShipment that has read the previous value. */
  readonly fence: number;
}

export const orderShipping = defineMapping({
  root: defineTable<Selectable<OrderShippingTable>>({
    name: "order_shipping",
    key: ["tenant_id", "order_id"],
    columns: ["tenant_id", "order_id", "closed_at", "fence"],
  }),
  keyOf: ({ tenant, orderId }: OrderShipping): readonly [tenant: string, orderId: string] => [tenant, orderId],
  fromRows: (row): OrderShipping => ({
    tenant: row.tenant_id,
    orderId: row.order_id,
    closedAt: row.closed_at ?? undefined,
    fence: row.fence,
  }),
  toRow: ({ tenant, orderId, closedAt, fence }) => ({
    tenant_id: tenant,
    order_id: orderId,
    closed_at: closedAt ?? null,
    fence,
  }),
});
