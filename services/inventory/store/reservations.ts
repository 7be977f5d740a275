import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, nowMs } from "../../runtime/db/sql.ts";
import type { InventoryDatabase, ReservationsTable } from "../db/schema.ts";
import type { ReservationState, ReservationValue, SkuQuantity } from "../domain/reservation.ts";
import { toReservation } from "./reservation-rows.ts";

type Db = Kysely<InventoryDatabase>;
type Trx = Transaction<InventoryDatabase>;

/** Identifies a reservation. */
export interface ReservationKey {
  readonly tenant: string;
  readonly id: string;
}

export async function findReservation(db: Db, key: ReservationKey): Promise<ReservationValue | undefined> {
  const query = selectReservations(db).where("tenant_id", "=", key.tenant).where("id", "=", key.id);
  const [found] = await withLines(db, await query.execute());
  return found;
}

/** Returns the COMMITTED reservations of an order, oldest first, locked until the transaction ends. */
export async function lockCommittedOfOrder(
  trx: Trx,
  dialect: DialectName,
  tenant: string,
  order: string,
): Promise<ReservationValue[]> {
  const rows = await forUpdate(
    dialect,
    selectReservations(trx)
      .where("tenant_id", "=", tenant)
      .where("order_name", "=", order)
      .where("state", "=", "COMMITTED")
      .orderBy("created_at")
      .orderBy("id"),
  ).execute();
  return withLines(trx, rows);
}

/** Returns the overdue HELD reservations of all tenants, earliest expiry first. */
export function findOverdue(db: Db, dialect: DialectName, limit: number): Promise<ReservationKey[]> {
  return overdueQuery(db, dialect, limit).execute();
}

/** The query for overdue reservations, exported for tests of its execution plan. */
export function overdueQuery(db: Db, dialect: DialectName, limit: number) {
  return db
    .selectFrom("reservations")
    .select(["tenant_id as tenant", "id"])
    .where("state", "=", "HELD")
    .where("expires_at", "<=", nowMs(dialect))
    .orderBy("expires_at")
    .limit(limit);
}

/** Sets the state of a locked reservation. COMMITTED clears its expiry. */
export async function setReservationState(
  trx: Trx,
  { tenant, id }: ReservationKey,
  state: ReservationState,
  updatedAt: number,
): Promise<void> {
  await trx
    .updateTable("reservations")
    .set({ state, updated_at: updatedAt, ...(state === "EXPIRED" ? {} : { expires_at: null }) })
    .where("tenant_id", "=", tenant)
    .where("id", "=", id)
    .execute();
}

/** Records that units of a locked reservation have left the warehouse. */
export async function addConsumed(
  trx: Trx,
  { tenant, id }: ReservationKey,
  units: readonly SkuQuantity[],
): Promise<void> {
  for (const { sku, quantity } of units) {
    await trx
      .updateTable("reservation_lines")
      .set({ consumed: sql`consumed + ${quantity}` })
      .where("tenant_id", "=", tenant)
      .where("reservation_id", "=", id)
      .where("sku", "=", sku)
      .execute();
  }
}

/** The base query for reservations. */
export function selectReservations(db: Db) {
  return db.selectFrom("reservations").selectAll();
}

/** Converts rows of one tenant to domain reservations, loading their lines with one statement. */
export async function withLines(db: Db, rows: readonly Selectable<ReservationsTable>[]): Promise<ReservationValue[]> {
  const [first] = rows;
  if (first === undefined) {
    return [];
  }
  const lines = await db
    .selectFrom("reservation_lines")
    .selectAll()
    .where("tenant_id", "=", first.tenant_id)
    .where(
      "reservation_id",
      "in",
      rows.map(({ id }) => id),
    )
    .orderBy("sku")
    .execute();
  const byReservation = Map.groupBy(lines, ({ reservation_id }) => reservation_id);
  return rows.map((row) => toReservation(row, byReservation.get(row.id) ?? []));
}
