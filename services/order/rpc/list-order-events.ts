import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListOrderEventsResponseSchema, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/page-token.ts";
import type { OrderContext } from "../context.ts";
import { orderNotFound } from "../errors.ts";
import { toEventMessage } from "../messages.ts";
import { orderExists, readTimeline } from "../store/timeline.ts";
import { orderIdOf } from "./order-name.ts";

const DEFAULT_PAGE_SIZE = 100;

export function listOrderEvents({ db }: OrderContext): ServiceImpl<typeof OrderService>["listOrderEvents"] {
  return async (request, context) => {
    const { tenant } = principalOf(context);
    const orderId = orderIdOf(request.parent);
    const limit = pageSizeOf(request.pageSize || DEFAULT_PAGE_SIZE);
    const query = ["ListOrderEvents", tenant, orderId];
    const [after = 0] = decodePageToken(request.pageToken, query, ["integer"]) ?? [];

    const found = await readTimeline(db.kysely, { tenant, id: orderId }, Number(after), limit + 1);
    if (found.length === 0 && !(await orderExists(db.kysely, { tenant, id: orderId }))) {
      throw orderNotFound(request.parent);
    }
    const { rows, nextPageToken } = pageOf(found, limit, query, ({ sequence }) => [sequence]);
    return create(ListOrderEventsResponseSchema, {
      events: rows.map((entry) => toEventMessage(orderId, entry)),
      nextPageToken,
    });
  };
}
