import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { BatchGetOrdersResponseSchema, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import { orderNotFound } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { findOrders } from "../store/orders.ts";
import { orderIdOf } from "./order-name.ts";

export function batchGetOrders({ db }: OrderContext): ServiceImpl<typeof OrderService>["batchGetOrders"] {
  return async ({ names }, context) => {
    const ids = names.map(orderIdOf);
    const found = await findOrders(db.kysely, principalOf(context).tenant, [...new Set(ids)]);
    const byId = new Map(found.map((order) => [order.id, toOrderMessage(order)]));
    const orders = ids.map((id, index) => {
      const order = byId.get(id);
      if (order === undefined) {
        throw orderNotFound(names[index] ?? "");
      }
      return order;
    });
    return create(BatchGetOrdersResponseSchema, { orders });
  };
}
