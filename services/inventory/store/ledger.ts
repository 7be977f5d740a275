import { type Kysely, type Selectable, sql } from "kysely";
import { type List, type ListPage, selectPage } from "../../runtime/api/list.ts";
import type { InventoryDatabase, StockMovementsTable } from "../db/schema.ts";
import type { StoredMovement } from "../domain/stock-move.ts";

type Db = Kysely<InventoryDatabase>;

/** ListStockMovements: newest first. */
export const movementList: List<StoredMovement> = {
  method: "ListStockMovements",
  unique: { sql: sql.ref("sequence"), kind: "integer", of: ({ sequence }) => sequence },
  order: { direction: "desc" },
  bytesOf: ({ reason }) => 300 + reason.length,
  defaultSize: 100,
};

/** Reads a page of an item's ledger. */
export async function listMovements(db: Db, tenant: string, sku: string, page: ListPage): Promise<StoredMovement[]> {
  const query = db.selectFrom("stock_movements").selectAll().where("tenant_id", "=", tenant).where("sku", "=", sku);
  return (await selectPage(query, page).execute()).map(toMovement);
}

/** Converts a ledger row to a domain entry. */
export function toMovement(row: Selectable<StockMovementsTable>): StoredMovement {
  return {
    sku: row.sku,
    sequence: row.sequence,
    type: row.type,
    onHandDelta: BigInt(row.on_hand_delta),
    reservedDelta: BigInt(row.reserved_delta),
    onHand: BigInt(row.stock_on_hand),
    reserved: BigInt(row.stock_reserved),
    reservation: row.reservation_id ?? undefined,
    reason: row.reason,
    actor: row.actor,
    createdAt: row.created_at,
  };
}
