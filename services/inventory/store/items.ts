import type { Kysely } from "kysely";
import type { InventoryDatabase } from "../db/schema.ts";
import type { StoredItem } from "../domain/item.ts";
import { toItem } from "./item-rows.ts";

type Db = Kysely<InventoryDatabase>;

export async function findItem(db: Db, tenant: string, sku: string): Promise<StoredItem | undefined> {
  const [item] = await findItems(db, tenant, [sku]);
  return item;
}

/** Returns the existing items of these SKUs, in ascending order of the SKU. */
export async function findItems(db: Db, tenant: string, skus: readonly string[]): Promise<StoredItem[]> {
  if (skus.length === 0) {
    return [];
  }
  const rows = await db
    .selectFrom("items")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .where("sku", "in", [...new Set(skus)].sort())
    .orderBy("sku")
    .execute();
  return rows.map(toItem);
}
