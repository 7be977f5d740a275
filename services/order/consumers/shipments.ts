import type { Transaction } from "kysely";
import {
  ShipmentCancelledSchema,
  ShipmentClosedSchema,
  ShipmentCollectedSchema,
  ShipmentCreatedSchema,
  ShipmentDeliveredSchema,
  ShipmentStateChangedSchema,
} from "../../../gen/docket/logistics/v1/logistics_events_pb.js";
import { type Shipment, Shipment_State } from "../../../gen/docket/logistics/v1/logistics_pb.js";
import { parseName } from "../../runtime/api/resource-name.ts";
import type { BusEvent, EventBus } from "../../runtime/bus/event-bus.ts";
import { type Consumer, createConsumer } from "../../runtime/inbox/consumer.ts";
import { on } from "../../runtime/inbox/handlers.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { derivedTransitions, note } from "../domain/changes.ts";
import { withParcels } from "../domain/parcels.ts";
import { isOver } from "../shipment-units.ts";
import { changeOrder } from "../store/orders.ts";
import { upsertShipmentProjection } from "../store/projections.ts";

/** A shipment event as it appears on the order's timeline. */
interface ShipmentEventDetails {
  readonly type: string;
  readonly message: string;
  readonly shipment: Shipment | undefined;
}

/** States shown on the timeline, besides those that have events of their own. */
const notable: Partial<Record<Shipment_State, string>> = {
  [Shipment_State.PICKUP_READY]: "The shipment is ready for pickup.",
  [Shipment_State.ATTEMPT_FAILED]: "A delivery attempt failed.",
  [Shipment_State.EXCEPTION]: "The carrier reported a problem with the shipment.",
  [Shipment_State.RETURNING]: "The shipment is on its way back.",
  [Shipment_State.RETURNED]: "The shipment was returned.",
  [Shipment_State.EXPIRED]: "The carrier has not reported on the shipment for too long.",
};

function notableOf(shipment: Shipment | undefined): string | undefined {
  return shipment && notable[shipment.state];
}

function closing(shipment: Shipment | undefined): string {
  const units = (of: "quantity" | "quantityRestocked") => shipment?.lines.reduce((sum, line) => sum + line[of], 0) ?? 0;
  return shipment?.state === Shipment_State.LOST
    ? `The shipment was closed as lost: ${units("quantity")} units.`
    : `The shipment was closed as returned: ${units("quantityRestocked")} of ${units("quantity")} units are in stock again.`;
}

/** Projects the logistics service's events onto orders. */
export function createShipmentConsumer(ctx: OrderContext, bus: EventBus): Consumer {
  const { db, log, ids } = ctx;
  const apply = (trx: Transaction<OrderDatabase>, event: BusEvent, details: ShipmentEventDetails) =>
    applyShipmentEvent(ctx, trx, event, details);
  return createConsumer({
    db,
    bus,
    log,
    ids,
    consumer: "order.shipments",
    handlers: [
      on(ShipmentCreatedSchema, (trx, { shipment }, event) =>
        apply(trx, event, { type: "ShipmentCreated", message: "A shipment was booked.", shipment }),
      ),
      on(ShipmentCollectedSchema, (trx, { shipment }, event) =>
        apply(trx, event, { type: "ShipmentCollected", message: "The shipment is in transit.", shipment }),
      ),
      on(
        ShipmentStateChangedSchema,
        (trx, { shipment }, event) =>
          apply(trx, event, { type: "ShipmentStateChanged", message: notableOf(shipment) ?? "", shipment }),
        // A change of quantities has an event of its own.
        ({ shipment }) => shipment === undefined || notableOf(shipment) !== undefined,
      ),
      on(ShipmentDeliveredSchema, (trx, { shipment }, event) =>
        apply(trx, event, { type: "ShipmentDelivered", message: "The shipment was delivered.", shipment }),
      ),
      on(ShipmentCancelledSchema, (trx, { shipment }, event) =>
        apply(trx, event, { type: "ShipmentCancelled", message: "The shipment was cancelled.", shipment }),
      ),
      on(ShipmentClosedSchema, (trx, { shipment }, event) =>
        apply(trx, event, { type: "ShipmentClosed", message: closing(shipment), shipment }),
      ),
    ],
  });
}

async function applyShipmentEvent(
  ctx: OrderContext,
  trx: Transaction<OrderDatabase>,
  event: BusEvent,
  { type, message, shipment }: ShipmentEventDetails,
): Promise<void> {
  const parts = parseName("orders/{order}/shipments/{shipment}", shipment?.name ?? "");
  if (shipment === undefined || parts === undefined) {
    throw new Error(`${event.type} ${event.id} does not name a shipment of an order`);
  }
  const key = { tenant: event.tenant, id: parts.order };
  const order = await changeOrder(trx, ctx, key, async (before) => {
    const parcels = await upsertShipmentProjection(trx, ctx.db.dialect, key, {
      id: parts.shipment,
      sequence: event.sequence,
      over: isOver(shipment),
      delivered: shipment.state === Shipment_State.DELIVERED,
      lines: shipment.lines.map(({ lineItemId, quantity }) => ({ lineId: lineItemId, quantity })),
    });
    const moment = { actor: "service:logistics", at: ctx.clock.now().getTime() };
    const metadata = {
      shipment: shipment.name,
      ...(shipment.trackingNumber !== "" && { tracking_number: shipment.trackingNumber }),
    };
    const noted = note(before, { type, message, metadata, lines: withParcels(before.lines, parcels) }, moment);
    return [noted, ...derivedTransitions(noted.order, moment)];
  });
  if (order === undefined) {
    throw new Error(`${shipment.name} belongs to no order of ${event.tenant}`);
  }
}
