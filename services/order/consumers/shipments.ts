import type { MessageShape } from "@bufbuild/protobuf";
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
import type { Command } from "../../runtime/commands/command.ts";
import { rejecting } from "../../runtime/commands/rejecting.ts";
import { type Consumer, createConsumer } from "../../runtime/inbox/consumer.ts";
import { type MessageHandler, onAsCommand } from "../../runtime/inbox/handlers.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { derivedTransitions, note } from "../domain/changes.ts";
import { withParcels } from "../domain/parcels.ts";
import { isOver } from "../shipment-units.ts";
import { getOrder, needOrder, recordChanges } from "../store/change-order.ts";
import { needShipments, projectShipment } from "../store/projections.ts";

/** A shipment event as it appears on the order's timeline. */
interface ShipmentEventDetails {
  readonly type: string;
  readonly message: string;
  readonly shipment: Shipment;
}

type ShipmentEventDesc =
  | typeof ShipmentCreatedSchema
  | typeof ShipmentCollectedSchema
  | typeof ShipmentStateChangedSchema
  | typeof ShipmentDeliveredSchema
  | typeof ShipmentCancelledSchema
  | typeof ShipmentClosedSchema;

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

function closing(shipment: Shipment): string {
  const units = (of: "quantity" | "quantityRestocked") => shipment.lines.reduce((sum, line) => sum + line[of], 0);
  return shipment.state === Shipment_State.LOST
    ? `The shipment was closed as lost: ${units("quantity")} units.`
    : `The shipment was closed as returned: ${units("quantityRestocked")} of ${units("quantity")} units are in stock again.`;
}

/** Projects the logistics service's events onto orders. */
export function createShipmentConsumer(ctx: OrderContext, bus: EventBus): Consumer {
  const { db, runCommands, log, ids } = ctx;
  return createConsumer({
    db,
    bus,
    log,
    ids,
    runCommands,
    consumer: "order.shipments",
    handlers: [
      applying(ctx, ShipmentCreatedSchema, () => ({ type: "ShipmentCreated", message: "A shipment was booked." })),
      applying(ctx, ShipmentCollectedSchema, () => ({
        type: "ShipmentCollected",
        message: "The shipment is in transit.",
      })),
      applying(
        ctx,
        ShipmentStateChangedSchema,
        (shipment) => ({ type: "ShipmentStateChanged", message: notableOf(shipment) ?? "" }),
        // A change of quantities has an event of its own.
        ({ shipment }) => shipment === undefined || notableOf(shipment) !== undefined,
      ),
      applying(ctx, ShipmentDeliveredSchema, () => ({
        type: "ShipmentDelivered",
        message: "The shipment was delivered.",
      })),
      applying(ctx, ShipmentCancelledSchema, () => ({
        type: "ShipmentCancelled",
        message: "The shipment was cancelled.",
      })),
      applying(ctx, ShipmentClosedSchema, (shipment) => ({ type: "ShipmentClosed", message: closing(shipment) })),
    ],
  });
}

/** Handles one type of event: notes it on the order's timeline and recounts its lines. */
function applying<Desc extends ShipmentEventDesc>(
  ctx: OrderContext,
  schema: Desc,
  describe: (shipment: Shipment) => { readonly type: string; readonly message: string },
  concerns?: (message: MessageShape<Desc>) => boolean,
): MessageHandler<OrderDatabase> {
  return onAsCommand<Desc, OrderDatabase>(
    schema,
    async (_, received) =>
      received.map(({ message, event }) => {
        const { shipment } = message as MessageShape<ShipmentEventDesc>;
        return applyShipmentEvent(ctx, event, shipment && { ...describe(shipment), shipment });
      }),
    concerns,
  );
}

function applyShipmentEvent(
  ctx: Pick<OrderContext, "clock" | "changed">,
  event: BusEvent,
  details: ShipmentEventDetails | undefined,
): Command<void> {
  const parts = parseName("orders/{order}/shipments/{shipment}", details?.shipment.name ?? "");
  if (details === undefined || parts === undefined) {
    return rejecting(new Error(`${event.type} ${event.id} does not name a shipment of an order`));
  }
  const { type, message, shipment } = details;
  const key = { tenant: event.tenant, id: parts.order };
  const moment = { actor: "service:logistics", at: ctx.clock.now().getTime() };
  return {
    keys(need) {
      needOrder(need, key);
      needShipments(need, key);
    },
    decide(batch) {
      const before = getOrder(batch, key);
      if (before === undefined) {
        throw new Error(`${shipment.name} belongs to no order of ${event.tenant}`);
      }
      const parcels = projectShipment(batch, key, {
        id: parts.shipment,
        sequence: event.sequence,
        over: isOver(shipment),
        delivered: shipment.state === Shipment_State.DELIVERED,
        lines: shipment.lines.map(({ lineItemId, quantity }) => ({ lineId: lineItemId, quantity })),
      });
      const metadata = {
        shipment: shipment.name,
        ...(shipment.trackingNumber !== "" && { tracking_number: shipment.trackingNumber }),
      };
      const noted = note(before, { type, message, metadata, lines: withParcels(before.lines, parcels) }, moment);
      recordChanges(batch, ctx, before, [noted, ...derivedTransitions(noted.order, moment)]);
    },
  };
}
