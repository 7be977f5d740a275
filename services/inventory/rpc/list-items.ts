import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { parseOrderBy } from "../../runtime/order-by.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/page-token.ts";
import type { InventoryContext } from "../context.ts";
import { toItemMessage } from "../messages.ts";
import { completeOrder, itemPageKeys, itemPageKinds, itemSortFields, listItemsAfter } from "../store/list-items.ts";

export function listItems({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["listItems"] {
  return async ({ filter, orderBy, pageSize, pageToken }, context) => {
    const { tenant } = principalOf(context);
    const query = ["ListItems", tenant, filter, orderBy];
    const order = completeOrder(parseOrderBy(orderBy, itemSortFields));
    const limit = pageSizeOf(pageSize);
    const after = decodePageToken(pageToken, query, itemPageKinds(order));
    const found = await listItemsAfter(db.kysely, db.dialect, tenant, { filter, order, after, limit: limit + 1 });
    const { rows, nextPageToken } = pageOf(found, limit, query, (last) => itemPageKeys(order, last));
    return {
      items: rows.map(toItemMessage),
      nextPageToken,
    };
  };
}
