import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListOrderEventsResponseSchema, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { decodePageToken, pageSizeOf } from "../../runtime/api/page-token.ts";
import { readPage } from "../../runtime/api/read-page.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { OrderContext } from "../context.ts";
import type { TimelineEntry } from "../domain/order.ts";
import { orderNotFound } from "../errors.ts";
import { orderIdOf, toEventMessage } from "../messages.ts";
import { orderExists, readTimeline } from "../store/timeline.ts";

const DEFAULT_PAGE_SIZE = 100;

export function listOrderEvents({ db }: OrderContext): ServiceImpl<typeof OrderService>["listOrderEvents"] {
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const orderId = orderIdOf(request.parent);
    const size = pageSizeOf(request.pageSize || DEFAULT_PAGE_SIZE);
    const query = ["ListOrderEvents", tenant, orderId];
    const reads = readsFor(db, call);
    const { rows, nextPageToken } = await readPage<TimelineEntry, readonly [number | bigint]>({
      size,
      query,
      after: decodePageToken(request.pageToken, query, ["integer"]),
      keysOf: ({ sequence }) => [sequence],
      bytesOf: ({ message, metadata }) => 300 + message.length + JSON.stringify(metadata).length,
      read: (after, limit) => readTimeline(reads, { tenant, id: orderId }, Number(after?.[0] ?? 0), limit),
      firstRead: DEFAULT_PAGE_SIZE + 1,
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
