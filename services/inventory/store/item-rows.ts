import type { Selectable } from "kysely";
import type { Amount } from "../../runtime/values/money.ts";
import type { ItemsTable } from "../db/schema.ts";
import type { StoredItem } from "../domain/item.ts";

/** Converts a row of `items` to a domain item. */
export function toItem(row: Selectable<ItemsTable>): StoredItem {
  return {
    tenant: row.tenant_id,
    sku: row.sku,
    title: row.title,
    prices: readPrices(row.prices),
    discontinued: row.discontinued === 1,
    stock: { onHand: BigInt(row.stock_on_hand), reserved: BigInt(row.stock_reserved) },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  };
}

/** Serializes prices, ascending by currency. Minor units are strings, as JSON numbers are exact only up to 2^53. */
export function writePrices(prices: readonly Amount[]): string {
  const sorted = [...prices].sort((a, b) => (a.currency < b.currency ? -1 : 1));
  return JSON.stringify(Object.fromEntries(sorted.map(({ currency, minor }) => [currency, `${minor}`])));
}

function readPrices(text: string): Amount[] {
  const prices = JSON.parse(text) as Record<string, string>;
  return Object.entries(prices).map(([currency, minor]) => ({ currency, minor: BigInt(minor) }));
}
