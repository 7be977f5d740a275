import type { Kysely, Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, isUniqueViolation } from "../../runtime/db/sql.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import type { ItemContent, StoredItem } from "../domain/item.ts";
import { toItem, writePrices } from "./item-rows.ts";

type Db = Kysely<InventoryDatabase>;
type Trx = Transaction<InventoryDatabase>;

/** An item to create, without stock. */
export interface NewItem extends ItemContent {
  readonly sku: string;
}

/** Inserts all items. Returns false and writes nothing if one of them exists. */
export async function insertItems(
  trx: Trx,
  tenant: string,
  items: readonly NewItem[],
  nowMs: number,
): Promise<boolean> {
  const rows = [...items]
    .sort((a, b) => (a.sku < b.sku ? -1 : 1))
    .map(({ sku, title, prices, discontinued }) => ({
      tenant_id: tenant,
      sku,
      title,
      prices: writePrices(prices),
      discontinued: discontinued ? 1 : 0,
      stock_on_hand: 0,
      stock_reserved: 0,
      created_at: nowMs,
      updated_at: nowMs,
      version: 1,
    }));
  try {
    await trx.insertInto("items").values(rows).execute();
    return true;
  } catch (error) {
    if (isUniqueViolation(error)) {
      return false;
    }
    throw error;
  }
}

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

/** Returns the existing items of these SKUs, locked until the transaction ends, in ascending order of the SKU. */
export async function lockItems(
  trx: Trx,
  dialect: DialectName,
  tenant: string,
  skus: readonly string[],
): Promise<StoredItem[]> {
  const rows = await forUpdate(
    dialect,
    trx
      .selectFrom("items")
      .selectAll()
      .where("tenant_id", "=", tenant)
      .where("sku", "in", [...new Set(skus)].sort())
      .orderBy("sku"),
  ).execute();
  return rows.map(toItem);
}

/** Updates the content of an item at this version. Returns false if its version has changed. */
export async function updateItemContent(
  trx: Trx,
  item: Pick<StoredItem, "tenant" | "sku" | "version">,
  { title, prices, discontinued }: ItemContent,
  nowMs: number,
): Promise<boolean> {
  const { numUpdatedRows } = await trx
    .updateTable("items")
    .set({
      title,
      prices: writePrices(prices),
      discontinued: discontinued ? 1 : 0,
      updated_at: nowMs,
      version: item.version + 1,
    })
    .where("tenant_id", "=", item.tenant)
    .where("sku", "=", item.sku)
    .where("version", "=", item.version)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}
