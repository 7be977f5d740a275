import type { ServiceImpl } from "@connectrpc/connect";
import { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { executeOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { InventoryContext } from "../context.ts";
import { itemNotFound, stockLimit, stockReserved } from "../errors.ts";
import { stockChanged } from "../events.ts";
import { skuOf, toItemMessage } from "../messages.ts";
import { items } from "../store/mappings.ts";
import { moveInBatch } from "../store/move-in-batch.ts";

/** The API's maximum stock of an item. */
const MAX_ON_HAND = 1_000_000_000_000n;

/** Adjusts the stock on hand by a delta. Rejects results below the reserved stock or above the maximum. */
export function adjustStock({
  commands,
  clock,
}: InventoryContext): ServiceImpl<typeof InventoryService>["adjustStock"] {
  const method = InventoryService.method.adjustStock;
  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const sku = skuOf(request.name);
    const move = { sku, onHandDelta: request.delta, reservedDelta: 0n };
    const cause = { type: "ADJUSTMENT", reason: request.reason, actor: actorOf(principal) } as const;
    const nowMs = clock.now().getTime();
    const { signal } = call;
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock, signal };
    return executeOnce(commands, mutation, {
      keys: (need) => need.one(items, [tenant, sku]),
      decide(batch) {
        const known = batch.get(items, [tenant, sku]);
        const moved = moveInBatch(batch, tenant, [move], cause, nowMs);
        const [item] = "items" in moved ? moved.items : [];
        if (item === undefined) {
          const [short] = "short" in moved ? moved.short : [];
          throw short && known ? stockReserved(short) : itemNotFound(sku);
        }
        if (item.stock.onHand > MAX_ON_HAND) {
          throw stockLimit(sku, MAX_ON_HAND);
        }
        batch.publish(stockChanged(item));
        return toItemMessage(item);
      },
    });
  };
}
