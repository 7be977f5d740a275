import type { ServiceImpl } from "@connectrpc/connect";
import { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent } from "../../runtime/idempotency/idempotent.ts";
import type { InventoryContext } from "../context.ts";
import { itemExists } from "../errors.ts";
import { toItemMessage } from "../messages.ts";
import { parseItemContent } from "./item-content.ts";
import { createItems } from "./new-items.ts";

/** Creates an item. Its initial stock is the first ledger entry. */
export function createItem(inventory: InventoryContext): ServiceImpl<typeof InventoryService>["createItem"] {
  const { db, clock } = inventory;
  const method = InventoryService.method.createItem;
  return async (request, context) => {
    const principal = principalOf(context);
    const { item } = request;
    if (item === undefined) {
      throw invalidArgument([{ field: "item", description: "is required" }]);
    }
    const { content, violations } = parseItemContent(item, "item");
    if (violations.length > 0) {
      throw invalidArgument(violations);
    }
    const { tenant } = principal;
    const call = { tenant, method, requestId: idempotencyKeyOf(request, context), request, clock };
    return idempotent(db, call, async (trx) => {
      const created = { sku: item.sku, stockOnHand: item.stockOnHand, ...content };
      const [stored] = (await createItems(inventory, trx, tenant, [created], actorOf(principal))) ?? [];
      if (stored === undefined) {
        throw itemExists(item.sku);
      }
      return toItemMessage(stored);
    });
  };
}
