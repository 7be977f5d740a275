import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { type List, type ListPage, selectPage } from "../../runtime/api/list.ts";
import type { InventoryDatabase, StockMovementsTable } from "../db/schema.ts";
import { available, type StoredItem } from "../domain/item.ts";
import type { MoveCause, Shortage, StockMove, StoredMovement } from "../domain/stock-move.ts";
import { findItems } from "./items.ts";

type Db = Kysely<InventoryDatabase>;
type Trx = Transaction<InventoryDatabase>;

/**
 * Result of moving stock: either all moves were applied, with the updated items, or some failed and the caller must
 * roll back.
 */
export type MoveResult = { readonly items: readonly StoredItem[] } | { readonly short: readonly Shortage[] };

/**
 * Moves the stock of several items and writes the ledger. Stock changes only here and in `moveInBatch`.
 *
 * Each move is one conditional update that maintains `0 ≤ reserved ≤ on hand`. SKUs are processed in ascending order,
 * so that concurrent transactions wait for each other instead of deadlocking. All moves are attempted even after a
 * failure, to report every SKU in shortage.
 *
 * @param moves at most one per SKU
 */
export async function moveStock(
  trx: Trx,
  tenant: string,
  moves: readonly StockMove[],
  cause: MoveCause,
  nowMs: number,
): Promise<MoveResult> {
  const sorted = [...moves].sort((a, b) => (a.sku < b.sku ? -1 : 1));
  const failed: StockMove[] = [];
  for (const move of sorted) {
    if (!(await updateStock(trx, tenant, move, nowMs))) {
      failed.push(move);
    }
  }
  if (failed.length > 0) {
    return { short: await shortages(trx, tenant, failed) };
  }
  const items = await findItems(
    trx,
    tenant,
    sorted.map(({ sku }) => sku),
  );
  await insertMovements(trx, items, sorted, cause, nowMs);
  return { items };
}

async function updateStock(
  trx: Trx,
  tenant: string,
  { sku, onHandDelta, reservedDelta }: StockMove,
  nowMs: number,
): Promise<boolean> {
  const onHand = sql<bigint>`stock_on_hand + ${onHandDelta}`;
  const reserved = sql<bigint>`stock_reserved + ${reservedDelta}`;
  const { numUpdatedRows } = await trx
    .updateTable("items")
    .set({ stock_on_hand: onHand, stock_reserved: reserved, updated_at: nowMs, version: sql`version + 1` })
    .where("tenant_id", "=", tenant)
    .where("sku", "=", sku)
    .where(sql<boolean>`stock_reserved + ${reservedDelta} >= 0`)
    .where(sql<boolean>`stock_on_hand - stock_reserved >= ${reservedDelta - onHandDelta}`)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

async function shortages(trx: Trx, tenant: string, failed: readonly StockMove[]): Promise<Shortage[]> {
  const items = await findItems(
    trx,
    tenant,
    failed.map(({ sku }) => sku),
  );
  return failed.map(({ sku, onHandDelta, reservedDelta }) => {
    const item = items.find((it) => it.sku === sku);
    return { sku, wanted: reservedDelta - onHandDelta, available: item ? available(item.stock) : 0n };
  });
}

async function insertMovements(
  trx: Trx,
  items: readonly StoredItem[],
  moves: readonly StockMove[],
  cause: MoveCause,
  nowMs: number,
): Promise<void> {
  const bySku = new Map(moves.map((move) => [move.sku, move]));
  const rows = items.map(({ tenant, sku, stock, version }) => ({
    tenant_id: tenant,
    sku,
    sequence: version,
    type: cause.type,
    on_hand_delta: bySku.get(sku)?.onHandDelta ?? 0n,
    reserved_delta: bySku.get(sku)?.reservedDelta ?? 0n,
    stock_on_hand: stock.onHand,
    stock_reserved: stock.reserved,
    reservation_id: cause.reservation ?? null,
    reason: cause.reason ?? "",
    actor: cause.actor,
    created_at: nowMs,
  }));
  if (rows.length > 0) {
    await trx.insertInto("stock_movements").values(rows).execute();
  }
}

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
