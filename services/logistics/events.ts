import { create } from "@bufbuild/protobuf";
import {
  ShipmentCancelledSchema,
  ShipmentClosedSchema,
  ShipmentCollectedSchema,
  ShipmentCreatedSchema,
  ShipmentDeliveredSchema,
  ShipmentStateChangedSchema,
} from "../../gen/docket/logistics/v1/logistics_events_pb.js";
import { Shipment_State as State } from "../../gen/docket/logistics/v1/logistics_pb.js";
import { type OutboxEvent, outboxEvent } from "../runtime/outbox/outbox.ts";
import type { StoredShipment } from "./domain/shipment.ts";
import type { ShipmentState } from "./domain/shipment-state.ts";
import { orderName, toShipmentMessage } from "./messages.ts";

/** Each event carries the shipment's current state; its aggregate is the order. */

/** The carrier has accepted the booking. */
export function shipmentCreated(shipment: StoredShipment): OutboxEvent {
  const event = create(ShipmentCreatedSchema, { shipment: toShipmentMessage(shipment) });
  return outboxEvent(ShipmentCreatedSchema, event, of(shipment));
}

/** The goods have left the warehouse. Published once per shipment. */
export function shipmentCollected(shipment: StoredShipment): OutboxEvent {
  const event = create(ShipmentCollectedSchema, { shipment: toShipmentMessage(shipment) });
  return outboxEvent(ShipmentCollectedSchema, event, of(shipment));
}

export function shipmentStateChanged(shipment: StoredShipment, previous: ShipmentState): OutboxEvent {
  const event = create(ShipmentStateChangedSchema, {
    shipment: toShipmentMessage(shipment),
    previousState: State[previous],
  });
  return outboxEvent(ShipmentStateChangedSchema, event, of(shipment));
}

export function shipmentDelivered(shipment: StoredShipment): OutboxEvent {
  const event = create(ShipmentDeliveredSchema, { shipment: toShipmentMessage(shipment) });
  return outboxEvent(ShipmentDeliveredSchema, event, of(shipment));
}

/** The shipment was cancelled before collection by Docket, or refused or cancelled by the carrier. */
export function shipmentCancelled(shipment: StoredShipment): OutboxEvent {
  const event = create(ShipmentCancelledSchema, { shipment: toShipmentMessage(shipment) });
  return outboxEvent(ShipmentCancelledSchema, event, of(shipment));
}

/** The shipment was closed as lost or returned. Published once per shipment. */
export function shipmentClosed(shipment: StoredShipment): OutboxEvent {
  const event = create(ShipmentClosedSchema, { shipment: toShipmentMessage(shipment) });
  return outboxEvent(ShipmentClosedSchema, event, of(shipment));
}

function of({ tenant, orderId }: StoredShipment): Pick<OutboxEvent, "tenant" | "aggregate"> {
  return { tenant, aggregate: orderName(orderId) };
}
