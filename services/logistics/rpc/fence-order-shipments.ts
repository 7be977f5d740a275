import type { ServiceImpl } from "@connectrpc/connect";
import type { LogisticsService } from "../../../gen/docket/logistics/v1/logistics_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { LogisticsContext } from "../context.ts";
import { orderIdOf, toShipmentMessage } from "../messages.ts";
import { orderShipping, shipments } from "../store/mappings.ts";
import { raiseFence } from "../store/order-shipping.ts";

/** Raises the order's fence and returns its shipments, in one transaction. Safe to repeat. */
export function fenceOrderShipments({
  commands,
}: LogisticsContext): ServiceImpl<typeof LogisticsService>["fenceOrderShipments"] {
  return async ({ parent }, call) => {
    const { tenant } = principalOf(call);
    const key = { tenant, orderId: orderIdOf(parent) };
    const order = [tenant, key.orderId] as const;
    const found = await commands.execute(
      {
        keys(need) {
          need.one(orderShipping, order);
          need.all(shipments, "order", order);
        },
        decide(batch) {
          raiseFence(batch, key);
          return batch.list(shipments, "order", order);
        },
      },
      { tenant },
    );
    return { shipments: found.map(toShipmentMessage) };
  };
}
