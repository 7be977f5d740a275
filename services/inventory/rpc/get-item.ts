import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { InventoryContext } from "../context.ts";
import { itemNotFound } from "../errors.ts";
import { skuOf, toItemMessage } from "../messages.ts";
import { findItem } from "../store/items.ts";

export function getItem({ db }: InventoryContext): ServiceImpl<typeof InventoryService>["getItem"] {
  return async ({ name }, call) => {
    const item = await findItem(db.kysely, principalOf(call).tenant, skuOf(name));
    if (item === undefined) {
      throw itemNotFound(skuOf(name));
    }
    return toItemMessage(item);
  };
}
