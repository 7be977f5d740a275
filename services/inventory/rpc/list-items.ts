import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { toItemMessage } from "../messages.ts";
import { itemList, listItems as selectItems } from "../store/list-items.ts";

export function listItems({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["listItems"] {
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const { rows, nextPageToken } = await readList(itemList, {
      db,
      call,
      request,
      scope: [tenant],
      read: (reads, page) => selectItems(reads, tenant, page),
    });
    return { items: rows.map(toItemMessage), nextPageToken };
  };
}
