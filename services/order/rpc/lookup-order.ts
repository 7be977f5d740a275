import type { ServiceImpl } from "@connectrpc/connect";
import type { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import { externalIdNotFound } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { findOrdersByExternalId } from "../store/orders.ts";

export function lookupOrder({ db }: OrderContext): ServiceImpl<typeof OrderService>["lookupOrder"] {
  return async ({ externalId }, call) => {
    const [order] = await findOrdersByExternalId(db.kysely, principalOf(call).tenant, [externalId]);
    if (order === undefined) {
      throw externalIdNotFound(externalId);
    }
    return toOrderMessage(order);
  };
}
