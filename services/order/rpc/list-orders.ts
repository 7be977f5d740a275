import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListOrdersResponseSchema, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import { toOrderMessage } from "../messages.ts";
import { orderList, listOrders as selectOrders } from "../store/list-orders.ts";

export function listOrders({ db }: OrderContext): ServiceImpl<typeof OrderService>["listOrders"] {
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const { rows, nextPageToken } = await readList(orderList, {
      db,
      call,
      request,
      scope: [tenant],
      read: (reads, page) => selectOrders(reads, { tenant }, page),
    });
    return create(ListOrdersResponseSchema, { orders: rows.map(toOrderMessage), nextPageToken });
  };
}
