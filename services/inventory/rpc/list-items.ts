import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { parseOrderBy } from "../../runtime/api/order-by.ts";
import { decodePageToken, type PageKey, pageSizeOf } from "../../runtime/api/page-token.ts";
import { readPage } from "../../runtime/api/read-page.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import type { StoredItem } from "../domain/item.ts";
import { toItemMessage } from "../messages.ts";
import { completeOrder, itemPageKeys, itemPageKinds, itemSortFields, listItemsAfter } from "../store/list-items.ts";

export function listItems({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["listItems"] {
  return async ({ filter, orderBy, pageSize, pageToken }, call) => {
    const { tenant } = principalOf(call);
    const query = ["ListItems", tenant, filter, orderBy];
    const order = completeOrder(parseOrderBy(orderBy, itemSortFields));
    const reads = readsFor(db, call);
    const { rows, nextPageToken } = await readPage<StoredItem, readonly PageKey[]>({
      size: pageSizeOf(pageSize),
      query,
      after: decodePageToken(pageToken, query, itemPageKinds(order)),
      keysOf: (item) => itemPageKeys(order, item),
      bytesOf: ({ title, prices }) => 400 + title.length + prices.length * 80,
      read: (after, limit) => listItemsAfter(reads, db.dialect, tenant, { filter, order, after, limit }),
    });
    return {
      items: rows.map(toItemMessage),
      nextPageToken,
    };
  };
}
