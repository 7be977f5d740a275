import type { ServiceImpl } from "@connectrpc/connect";
import { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { invalidArgument } from "../../runtime/errors.ts";
import { executeOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { InventoryContext } from "../context.ts";
import { itemExists } from "../errors.ts";
import { toItemMessage } from "../messages.ts";
import { items } from "../store/mappings.ts";
import { parseItemContent } from "./items/item-content.ts";
import { insertItem } from "./items/new-items.ts";

/** Creates an item. Its initial stock is the first ledger entry. */
export function createItem({ commands, clock }: InventoryContext): ServiceImpl<typeof InventoryService>["createItem"] {
  const method = InventoryService.method.createItem;
  return async (request, call) => {
    const principal = principalOf(call);
    const { item } = request;
    if (item === undefined) {
      throw invalidArgument([{ field: "item", description: "is required" }]);
    }
    const { content, violations } = parseItemContent(item, "item");
    if (violations.length > 0) {
      throw invalidArgument(violations);
    }
    const { tenant } = principal;
    const { sku, stockOnHand } = item;
    const cause = { actor: actorOf(principal), nowMs: clock.now().getTime() };
    const { signal } = call;
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock, signal };
    return executeOnce(commands, mutation, {
      keys: (need) => need.one(items, [tenant, sku]),
      decide(batch) {
        if (batch.get(items, [tenant, sku]) !== undefined) {
          throw itemExists(sku);
        }
        return toItemMessage(insertItem(batch, tenant, { sku, stockOnHand, ...content }, cause));
      },
    });
  };
}
