import type { ServiceImpl } from "@connectrpc/connect";
import { InventoryService } from "../../../gen/docket/inventory/v1/inventory_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent } from "../../runtime/idempotency/idempotent.ts";
import type { InventoryContext } from "../context.ts";
import { itemNotFound, stockLimit, stockReserved } from "../errors.ts";
import { stockChanged } from "../events.ts";
import { skuOf, toItemMessage } from "../messages.ts";
import { findItem } from "../store/items.ts";
import { moveStock } from "../store/ledger.ts";

/** The API's maximum stock of an item. */
const MAX_ON_HAND = 1_000_000_000_000n;

/** Adjusts the stock on hand by a delta. Rejects results below the reserved stock or above the maximum. */
export function adjustStock({
  db,
  outbox,
  clock,
}: InventoryContext): ServiceImpl<typeof InventoryService>["adjustStock"] {
  const method = InventoryService.method.adjustStock;
  return async (request, context) => {
    const principal = principalOf(context);
    const { tenant } = principal;
    const sku = skuOf(request.name);
    const call = { tenant, method, requestId: idempotencyKeyOf(request, context), request, clock };
    return idempotent(db, call, async (trx) => {
      const move = { sku, onHandDelta: request.delta, reservedDelta: 0n };
      const cause = { type: "ADJUSTMENT", reason: request.reason, actor: actorOf(principal) } as const;
      const moved = await moveStock(trx, tenant, [move], cause, clock.now().getTime());
      const [item] = "items" in moved ? moved.items : [];
      if (item === undefined) {
        const [short] = "short" in moved ? moved.short : [];
        throw short && (await findItem(trx, tenant, sku)) ? stockReserved(short) : itemNotFound(sku);
      }
      if (item.stock.onHand > MAX_ON_HAND) {
        throw stockLimit(item.sku, MAX_ON_HAND);
      }
      await outbox.publish(trx, [stockChanged(item)]);
      return toItemMessage(item);
    });
  };
}
