import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Shipment, ShipmentSchema, Shipment_State as State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { etagOf } from "../runtime/api/etag.ts";
import { formatName, parseName } from "../runtime/api/resource-name.ts";
import type { StoredShipment } from "./domain/shipment.ts";
import type { ShipmentKey } from "./store/shipments.ts";

const SHIPMENT = "orders/{order}/shipments/{shipment}";

/** Converts a stored shipment to its API message. */
export function toShipmentMessage(shipment: StoredShipment): Shipment {
  const { reported, deliveredAt, closedAt } = shipment.progress;
  return create(ShipmentSchema, {
    name: shipmentName(shipment),
    state: State[reported.state],
    lines: shipment.lines.map(({ lineItemId, sku, quantity, restocked = 0 }) => ({
      lineItemId,
      sku,
      quantity,
      quantityRestocked: restocked,
    })),
    carrier: shipment.carrier,
    carrierService: shipment.carrierService,
    trackingNumber: shipment.trackingNumber ?? "",
    trackingUrl: shipment.trackingUrl ?? "",
    trackingEvents: shipment.events.map((event) => ({
      state: event.state === undefined ? State.STATE_UNSPECIFIED : State[event.state],
      carrierStatus: event.status,
      message: event.message,
      location: event.location,
      eventTime: timestampFromMs(event.occurredAt),
      eventId: event.eventId,
    })),
    labels: { ...shipment.labels },
    createTime: timestampFromMs(shipment.createdAt),
    updateTime: timestampFromMs(shipment.updatedAt),
    ...(deliveredAt !== undefined && { deliverTime: timestampFromMs(deliveredAt) }),
    ...(closedAt !== undefined && { closeTime: timestampFromMs(closedAt) }),
    etag: etagOf(shipment.version),
  });
}

/** `orders/{order}/shipments/{shipment}`. */
export function shipmentName({ orderId, number }: Pick<ShipmentKey, "orderId" | "number">): string {
  return formatName(SHIPMENT, { order: orderId, shipment: number });
}

/** `orders/{order}`. */
export function orderName(orderId: string): string {
  return formatName("orders/{order}", { order: orderId });
}

/** Returns the order id of an order name, whose format protovalidate has checked. */
export function orderIdOf(orderName: string): string {
  return orderName.slice("orders/".length);
}

/** Parses a shipment name, whose format protovalidate has checked. */
export function shipmentKeyOf(tenant: string, name: string): ShipmentKey {
  const { order = "", shipment = "" } = parseName(SHIPMENT, name) ?? {};
  return { tenant, orderId: order, number: shipment };
}
