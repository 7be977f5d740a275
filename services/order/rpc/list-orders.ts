import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { ListOrdersResponseSchema, type OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { compileFilter } from "../../runtime/db/filter-sql.ts";
import { parseOrderBy } from "../../runtime/order-by.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/page-token.ts";
import type { OrderContext } from "../context.ts";
import { toOrderMessage } from "../messages.ts";
import { listOrders as list, orderSort, orderSortFields } from "../store/list-orders.ts";
import { orderFilterFields } from "../store/order-filter.ts";

export function listOrders({ db }: OrderContext): ServiceImpl<typeof OrderService>["listOrders"] {
  const fields = orderFilterFields(db.dialect);
  return async (request, context) => {
    const { tenant } = principalOf(context);
    const limit = pageSizeOf(request.pageSize);
    const sort = orderSort(parseOrderBy(request.orderBy, orderSortFields));
    const query = ["ListOrders", tenant, request.filter, request.orderBy];
    const after = decodePageToken(request.pageToken, query, sort.kinds);
    const where = compileFilter(request.filter, fields, db.dialect);

    const found = await list(db.kysely, { tenant, where, sort, after, limit: limit + 1 });
    const { rows, nextPageToken } = pageOf(found, limit, query, sort.keysOf);
    return create(ListOrdersResponseSchema, {
      orders: rows.map(toOrderMessage),
      nextPageToken,
    });
  };
}
