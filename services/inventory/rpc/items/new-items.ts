import type { Batch } from "../../../runtime/commands/command.ts";
import { type ItemContent, newItem, type StoredItem } from "../../domain/item.ts";
import { stockChanged } from "../../events.ts";
import { items } from "../../store/mappings.ts";
import { moveInBatch } from "../../store/move-in-batch.ts";

/** An item to create, with its initial stock. */
export interface NewItem extends ItemContent {
  readonly sku: string;
  readonly stockOnHand: bigint;
}

/** Inserts an item that does not exist and, if it has stock, its first ledger entry and the event. */
export function insertItem(
  batch: Batch,
  tenant: string,
  { sku, stockOnHand, ...content }: NewItem,
  { actor, nowMs }: { actor: string; nowMs: number },
): StoredItem {
  const item = newItem({ tenant, sku }, content, nowMs);
  batch.insert(items, item);
  if (stockOnHand === 0n) {
    return item;
  }
  const move = { sku, onHandDelta: stockOnHand, reservedDelta: 0n };
  const cause = { type: "ADJUSTMENT", reason: "item created", actor } as const;
  const moved = moveInBatch(batch, tenant, [move], cause, nowMs);
  const [stocked] = "items" in moved ? moved.items : [];
  if (stocked === undefined) {
    throw new Error(`The initial stock of ${sku} was refused.`);
  }
  batch.publish(stockChanged(stocked));
  return stocked;
}
