import type { Kysely, Selectable } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { nowMs } from "../../runtime/db/sql.ts";
import type { InventoryDatabase, ReservationsTable } from "../db/schema.ts";
import type { ReservationValue } from "../domain/reservation.ts";
import { toReservation } from "./reservation-rows.ts";

type Db = Kysely<InventoryDatabase>;

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

/** Returns the keys of the COMMITTED reservations of orders, oldest first. One statement. */
export async function findCommittedOfOrders(
  db: Db,
  orders: readonly { readonly tenant: string; readonly order: string }[],
): Promise<(ReservationKey & { readonly order: string })[]> {
  const byTenant = Map.groupBy(orders, ({ tenant }) => tenant);
  return db
    .selectFrom("reservations")
    .select(["tenant_id as tenant", "id", "order_name as order"])
    .where((row) =>
      row.or(
        [...byTenant].map(([tenant, own]) =>
          row.and([
            row("tenant_id", "=", tenant),
            row(
              "order_name",
              "in",
              own.map(({ order }) => order),
            ),
          ]),
        ),
      ),
    )
    .where("state", "=", "COMMITTED")
    .orderBy("created_at")
    .orderBy("id")
    .execute();
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
