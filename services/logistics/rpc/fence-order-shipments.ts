import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { LogisticsContext } from "../context.ts";
import { orderIdOf, toShipmentMessage } from "../messages.ts";
import { lockOrder, raiseFence } from "../store/order-shipping.ts";
import { shipmentsOfOrder } from "../store/shipments.ts";

/** Raises the order's fence and returns its shipments, in one transaction. Safe to repeat. */
export function fenceOrderShipments({
  db,
}: LogisticsContext): ServiceImpl<typeof LogisticsService>["fenceOrderShipments"] {
  return async ({ parent }, call) => {
    const key = { tenant: principalOf(call).tenant, orderId: orderIdOf(parent) };
    const shipments = await db.transaction(async (trx) => {
      await raiseFence(trx, key, await lockOrder(trx, db.dialect, key));
      return shipmentsOfOrder(trx, key);
    });
    return { shipments: shipments.map(toShipmentMessage) };
  };
}
