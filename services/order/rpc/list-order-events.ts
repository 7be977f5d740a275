import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListOrderEventsResponseSchema, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import { orderNotFound } from "../errors.ts";
import { orderIdOf, toEventMessage } from "../messages.ts";
import { listTimeline, orderExists, timelineList } from "../store/timeline.ts";

export function listOrderEvents({ db }: OrderContext): ServiceImpl<typeof OrderService>["listOrderEvents"] {
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const orderId = orderIdOf(request.parent);
    const { rows, nextPageToken } = await readList(timelineList, {
      db,
      call,
      request,
      scope: [tenant, orderId],
      read: (reads, page) => listTimeline(reads, { tenant, id: orderId }, page),
    });
    if (rows.length === 0 && !(await orderExists(db.kysely, { tenant, id: orderId }))) {
      throw orderNotFound(request.parent);
    }
    return create(ListOrderEventsResponseSchema, {
      events: rows.map((entry) => toEventMessage(orderId, entry)),
      nextPageToken,
    });
  };
}
