import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { BatchGetOrdersResponseSchema, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { PAGE_LINES } from "../../runtime/api/read-page.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import type { OrderContext } from "../context.ts";
import { orderNotFound } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { countLines, findOrders } from "../store/orders.ts";

export function batchGetOrders({ db }: OrderContext): ServiceImpl<typeof OrderService>["batchGetOrders"] {
  return async ({ names }, call) => {
    const ids = names.map(orderIdOf);
    const { tenant } = principalOf(call);
    const wanted = [...new Set(ids)];
    // Repeated names are repeated in the response.
    const lines = await countLines(db.kysely, tenant, ids);
    if (lines > PAGE_LINES) {
      const description = `the orders have ${lines} lines together, at most ${PAGE_LINES} are returned; name fewer orders`;
      throw invalidArgument([{ field: "names", description }], "RESPONSE_TOO_LARGE");
    }
    const found = await findOrders(db.kysely, tenant, wanted);
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
