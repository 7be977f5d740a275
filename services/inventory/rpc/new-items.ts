import type { Transaction } from "kysely";
import type { InventoryContext } from "../context.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import type { StoredItem } from "../domain/item.ts";
import { stockChanged } from "../events.ts";
import { findItems, insertItems, type NewItem } from "../store/items.ts";
import { moveStock } from "../store/ledger.ts";

/** An item to create, with its initial stock. */
export interface StockedItem extends NewItem {
  readonly stockOnHand: bigint;
}

/**
 * Inserts items and, for those with stock, the first ledger entry and the event.
 *
 * @returns the items, ascending by SKU, or undefined if one of them exists; nothing is written then
 */
export async function createItems(
  { outbox, clock }: Pick<InventoryContext, "outbox" | "clock">,
  trx: Transaction<InventoryDatabase>,
  tenant: string,
  items: readonly StockedItem[],
  actor: string,
): Promise<StoredItem[] | undefined> {
  const nowMs = clock.now().getTime();
  if (!(await insertItems(trx, tenant, items, nowMs))) {
    return undefined;
  }
  const moves = items
    .filter(({ stockOnHand }) => stockOnHand > 0n)
    .map(({ sku, stockOnHand }) => ({ sku, onHandDelta: stockOnHand, reservedDelta: 0n }));
  if (moves.length > 0) {
    const moved = await moveStock(trx, tenant, moves, { type: "ADJUSTMENT", reason: "item created", actor }, nowMs);
    if ("short" in moved) {
      throw new Error("new items have gone in the middle of a transaction");
    }
    await outbox.publish(trx, moved.items.map(stockChanged));
  }
  return findItems(
    trx,
    tenant,
    items.map(({ sku }) => sku),
  );
}
