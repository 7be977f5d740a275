import type { Batch } from "../../runtime/commands/command.ts";
import { available, moveItem, type StoredItem } from "../domain/item.ts";
import type { MoveCause, Shortage, StockMove } from "../domain/stock-move.ts";
import { items, movements } from "./mappings.ts";

/**
 * Result of moving stock: either all moves were applied, with the updated items, or some failed and the command
 * must throw.
 */
export type MoveResult = { readonly items: readonly StoredItem[] } | { readonly short: readonly Shortage[] };

/**
 * Moves the stock of several items and writes the ledger. Stock changes only here. The command must have declared the
 * items. If some moves fail, the caller must throw.
 *
 * @param moves at most one per SKU
 */
export function moveInBatch(
  batch: Batch,
  tenant: string,
  moves: readonly StockMove[],
  cause: MoveCause,
  nowMs: number,
): MoveResult {
  const moved: StoredItem[] = [];
  const short: Shortage[] = [];
  for (const move of [...moves].sort((a, b) => (a.sku < b.sku ? -1 : 1))) {
    const { sku, onHandDelta, reservedDelta } = move;
    const item = batch.get(items, [tenant, sku]);
    const after = item && moveItem(item, move, nowMs);
    if (after === undefined) {
      short.push({ sku, wanted: reservedDelta - onHandDelta, available: item ? available(item.stock) : 0n });
      continue;
    }
    moved.push(after);
    batch.update(items, after);
    batch.insert(movements, {
      ...{ tenant, sku, onHandDelta, reservedDelta },
      sequence: after.version,
      type: cause.type,
      onHand: after.stock.onHand,
      reserved: after.stock.reserved,
      reservation: cause.reservation,
      reason: cause.reason ?? "",
      actor: cause.actor,
      createdAt: nowMs,
    });
  }
  return short.length > 0 ? { short } : { items: moved };
}
