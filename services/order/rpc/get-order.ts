import type { ServiceImpl } from "@connectrpc/connect";
import type { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import { orderNotFound } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";

export function getOrder({ reads }: OrderContext): ServiceImpl<typeof OrderService>["getOrder"] {
  return async ({ name }, call) => {
    const order = await reads.find({ tenant: principalOf(call).tenant, id: orderIdOf(name) });
    if (order === undefined) {
      throw orderNotFound(name);
    }
    return toOrderMessage(order);
  };
}
