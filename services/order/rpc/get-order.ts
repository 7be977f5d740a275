import type { ServiceImpl } from "@connectrpc/connect";
import type { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import { orderNotFound } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { findOrder } from "../store/orders.ts";

export function getOrder({ db }: OrderContext): ServiceImpl<typeof OrderService>["getOrder"] {
  return async ({ name }, call) => {
    const order = await findOrder(db.kysely, principalOf(call).tenant, orderIdOf(name));
    if (order === undefined) {
      throw orderNotFound(name);
    }
    return toOrderMessage(order);
  };
}
