import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { toItemMessage } from "../messages.ts";
import { findItems } from "../store/items.ts";

export function batchGetItems({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["batchGetItems"] {
  return async ({ skus }, call) => {
    const found = await findItems(db.kysely, principalOf(call).tenant, skus);
    const bySku = new Map(found.map((item) => [item.sku, item]));
    return {
      items: [...new Set(skus)].flatMap((sku) => {
        const item = bySku.get(sku);
        return item ? [toItemMessage(item)] : [];
      }),
    };
  };
}
