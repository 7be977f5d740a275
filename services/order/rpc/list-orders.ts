import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListOrdersResponseSchema, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { parseOrderBy } from "../../runtime/api/order-by.ts";
import { decodePageToken, pageSizeOf } from "../../runtime/api/page-token.ts";
import { readPage } from "../../runtime/api/read-page.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { compileFilter } from "../../runtime/db/filter-sql.ts";
import type { OrderContext } from "../context.ts";
import { toOrderMessage } from "../messages.ts";
import { listOrders as list, orderSort, orderSortFields } from "../store/list-orders.ts";
import { orderFilterFields } from "../store/order-filter.ts";
import { responseBytes } from "./listing/response-size.ts";

export function listOrders({ db }: OrderContext): ServiceImpl<typeof OrderService>["listOrders"] {
  const fields = orderFilterFields(db.dialect);
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const size = pageSizeOf(request.pageSize);
    const sort = orderSort(parseOrderBy(request.orderBy, orderSortFields));
    const query = ["ListOrders", tenant, request.filter, request.orderBy];
    const after = decodePageToken(request.pageToken, query, sort.kinds);
    const where = compileFilter(request.filter, fields, db.dialect);

    const reads = readsFor(db, call);
    const { rows, nextPageToken } = await readPage({
      size,
      query,
      after,
      keysOf: sort.keysOf,
      bytesOf: responseBytes,
      read: (from, limit) => list(reads, { tenant, where, sort, after: from, limit }),
    });
    return create(ListOrdersResponseSchema, {
      orders: rows.map(toOrderMessage),
      nextPageToken,
    });
  };
}
