import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import type { Command } from "../../runtime/commands/command.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { closeShipment } from "../close-shipment.ts";
import type { LogisticsContext } from "../context.ts";
import { cancellation, closing, isUnderWay, type StoredShipment } from "../domain/shipment.ts";
import { shipmentUnderWay } from "../errors.ts";
import { orderIdOf, toShipmentMessage } from "../messages.ts";
import { orderShipping, shipments } from "../store/mappings.ts";
import { type OrderKey, shippingOf } from "../store/order-shipping.ts";
import { requestCancellation } from "./cancellation/request-cancellation.ts";
import { untilCancellationSettled } from "./cancellation/until-settled.ts";

/**
 * Cancels an order's uncollected shipments and closes the order to further ones, even if it has no shipments, so that a
 * late CreateShipment is refused. If a carrier has collected a shipment, even at the last moment, the request fails and
 * the order stays open. Returned shipments are closed, and their units go back into stock. Idempotent.
 */
export function cancelOrderShipments(
  ctx: LogisticsContext,
): ServiceImpl<typeof LogisticsService>["cancelOrderShipments"] {
  return async ({ parent }, call) => {
    const key = { tenant: principalOf(call).tenant, orderId: orderIdOf(parent) };
    const closed = await closeOrder(ctx, key);
    const settled: StoredShipment[] = [];
    for (const { id } of closed) {
      settled.push(await untilCancellationSettled(ctx, id, call.signal));
    }
    const kept = settled.filter((shipment) => cancellation(shipment) !== "cancelled" && isKept(shipment));
    if (kept.length > 0) {
      await reopenOrder(ctx, key);
      throw shipmentUnderWay(kept);
    }
    return { shipments: settled.filter((shipment) => cancellation(shipment) === "cancelled").map(toShipmentMessage) };
  };
}

/** Closes the order and requests the cancellation of its shipments. Returns all shipments, including cancelled ones. */
function closeOrder(ctx: LogisticsContext, key: OrderKey): Promise<readonly StoredShipment[]> {
  const { tenant, orderId } = key;
  const command: Command<readonly StoredShipment[]> = {
    keys(need) {
      need.one(orderShipping, [tenant, orderId]);
      need.all(shipments, "order", [tenant, orderId]);
    },
    decide(batch) {
      const order = shippingOf(batch, key);
      const found = batch.list(shipments, "order", [tenant, orderId]);
      const underWay = found.filter(isUnderWay);
      if (underWay.length > 0) {
        throw shipmentUnderWay(underWay);
      }
      const closedAt = order.closedAt ?? ctx.clock.now().getTime();
      batch.update(orderShipping, { ...order, closedAt });
      for (const shipment of found) {
        if (cancellation(shipment) === "possible") {
          requestCancellation(ctx, batch, shipment);
        } else if (shipment.progress.reported.state === "RETURNED" && closing(shipment, "RETURNED") === "possible") {
          closeShipment(ctx, batch, shipment, { as: "RETURNED", note: "closed with the order's cancellation" });
        }
      }
      return found;
    },
  };
  return ctx.commands.execute(command, { tenant });
}

/** Returns whether the carrier kept the shipment despite the cancellation. Returned shipments do not count. */
function isKept(shipment: StoredShipment): boolean {
  return !shipment.progress.collected || isUnderWay(shipment);
}

async function reopenOrder({ commands }: LogisticsContext, key: OrderKey): Promise<void> {
  const { tenant, orderId } = key;
  await commands.execute(
    {
      keys: (need) => need.one(orderShipping, [tenant, orderId]),
      decide: (batch) => batch.update(orderShipping, { ...shippingOf(batch, key), closedAt: undefined }),
    },
    { tenant },
  );
}
