import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { closeShipment } from "../close-shipment.ts";
import type { LogisticsContext } from "../context.ts";
import { cancellation, closing, isUnderWay, type StoredShipment } from "../domain/shipment.ts";
import { shipmentUnderWay } from "../errors.ts";
import { orderIdOf, toShipmentMessage } from "../messages.ts";
import { lockOrder, type OrderKey, setOrderClosed } from "../store/order-shipping.ts";
import { lockShipment, shipmentsOfOrder } from "../store/shipments.ts";
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
    const shipments = await closeOrder(ctx, key);
    const settled: StoredShipment[] = [];
    for (const { id } of shipments) {
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
function closeOrder(ctx: LogisticsContext, key: OrderKey): Promise<StoredShipment[]> {
  const { db, clock } = ctx;
  return db.transaction(async (trx) => {
    const { closed } = await lockOrder(trx, db.dialect, key);
    const shipments: StoredShipment[] = [];
    for (const { id } of await shipmentsOfOrder(trx, key)) {
      const shipment = await lockShipment(trx, db.dialect, id);
      if (shipment) {
        shipments.push(shipment);
      }
    }
    const underWay = shipments.filter(isUnderWay);
    if (underWay.length > 0) {
      throw shipmentUnderWay(underWay);
    }
    if (!closed) {
      await setOrderClosed(trx, key, clock.now().getTime());
    }
    for (const shipment of shipments) {
      if (cancellation(shipment) === "possible") {
        await requestCancellation(ctx, trx, shipment);
      } else if (shipment.progress.reported.state === "RETURNED" && closing(shipment, "RETURNED") === "possible") {
        await closeShipment(ctx, trx, shipment, { as: "RETURNED", note: "closed with the order's cancellation" });
      }
    }
    return shipments;
  });
}

/** Returns whether the carrier kept the shipment despite the cancellation. Returned shipments do not count. */
function isKept(shipment: StoredShipment): boolean {
  return !shipment.progress.collected || isUnderWay(shipment);
}

async function reopenOrder({ db }: LogisticsContext, key: OrderKey): Promise<void> {
  await db.transaction(async (trx) => {
    await lockOrder(trx, db.dialect, key);
    await setOrderClosed(trx, key, undefined);
  });
}
