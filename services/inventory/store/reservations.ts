import { type Kysely, sql, type Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore, nowMs } from "../../runtime/db/sql.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import type { ReservationState, ReservedLine, SkuQuantity, StoredReservation } from "../domain/reservation.ts";

type Db = Kysely<InventoryDatabase>;
type Trx = Transaction<InventoryDatabase>;

/** Identifies a reservation. */
export interface ReservationKey {
  readonly tenant: string;
  readonly id: string;
}

export interface NewReservation extends ReservationKey {
  readonly order: string;
  readonly state: "HELD" | "RELEASED";
  /** One per SKU. */
  readonly lines: readonly SkuQuantity[];
  /** Duration of the hold, by the database's clock. */
  readonly ttlMs?: number;
  readonly createdAt: number;
}

/** Inserts a reservation. Returns false if the name is taken; waits for a concurrent insert of the same name. */
export async function insertReservation(trx: Trx, dialect: DialectName, it: NewReservation): Promise<boolean> {
  const isNew = await insertIgnore(trx, "reservations", {
    tenant_id: it.tenant,
    id: it.id,
    order_name: it.order,
    state: it.state,
    expires_at: it.ttlMs === undefined ? null : sql<number>`${nowMs(dialect)} + ${it.ttlMs}`,
    revision: 0,
    created_at: it.createdAt,
    updated_at: it.createdAt,
  });
  if (isNew && it.lines.length > 0) {
    const rows = it.lines.map(({ sku, quantity }) => ({
      tenant_id: it.tenant,
      reservation_id: it.id,
      sku,
      quantity,
      consumed: 0,
    }));
    await trx.insertInto("reservation_lines").values(rows).execute();
  }
  return isNew;
}

export async function findReservation(
  db: Db,
  dialect: DialectName,
  key: ReservationKey,
): Promise<StoredReservation | undefined> {
  const [found] = await withLines(db, await reservationQuery(db, dialect, key).execute());
  return found;
}

/** Returns the reservation, locked until the transaction ends. */
export async function lockReservation(
  trx: Trx,
  dialect: DialectName,
  key: ReservationKey,
): Promise<StoredReservation | undefined> {
  const [found] = await withLines(trx, await forUpdate(dialect, reservationQuery(trx, dialect, key)).execute());
  return found;
}

/** Returns the COMMITTED reservations of an order, oldest first, locked until the transaction ends. */
export async function lockCommittedOfOrder(
  trx: Trx,
  dialect: DialectName,
  tenant: string,
  order: string,
): Promise<StoredReservation[]> {
  const rows = await forUpdate(
    dialect,
    selectReservations(trx, dialect)
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

/** Writes new quantities and the resulting state of a locked reservation. */
export async function resizeReservation(
  trx: Trx,
  { tenant, id }: ReservationKey,
  { quantities, state, revision }: { quantities: readonly SkuQuantity[]; state: ReservationState; revision: number },
  updatedAt: number,
): Promise<void> {
  for (const { sku, quantity } of quantities) {
    await trx
      .updateTable("reservation_lines")
      .set({ quantity })
      .where("tenant_id", "=", tenant)
      .where("reservation_id", "=", id)
      .where("sku", "=", sku)
      .execute();
  }
  await trx
    .updateTable("reservations")
    .set({ state, revision, updated_at: updatedAt })
    .where("tenant_id", "=", tenant)
    .where("id", "=", id)
    .execute();
}

function reservationQuery(db: Db, dialect: DialectName, { tenant, id }: ReservationKey) {
  return selectReservations(db, dialect).where("tenant_id", "=", tenant).where("id", "=", id);
}

/** The base query for reservations. */
export function selectReservations(db: Db, dialect: DialectName) {
  const overdue = sql<number | null>`state = 'HELD' and expires_at <= ${nowMs(dialect)}`;
  return db
    .selectFrom("reservations")
    .select([
      "tenant_id",
      "id",
      "order_name",
      "state",
      "expires_at",
      "revision",
      "created_at",
      "updated_at",
      overdue.as("overdue"),
    ]);
}

type ReservationRow = Awaited<ReturnType<ReturnType<typeof selectReservations>["execute"]>>[number];

/** Converts rows of one tenant to domain reservations, loading their lines with one statement. */
export async function withLines(db: Db, rows: readonly ReservationRow[]): Promise<StoredReservation[]> {
  const [first] = rows;
  if (first === undefined) {
    return [];
  }
  const lines = await db
    .selectFrom("reservation_lines")
    .select(["reservation_id", "sku", "quantity", "consumed"])
    .where("tenant_id", "=", first.tenant_id)
    .where(
      "reservation_id",
      "in",
      rows.map(({ id }) => id),
    )
    .orderBy("sku")
    .execute();
  const byReservation = new Map<string, ReservedLine[]>(rows.map(({ id }) => [id, []]));
  for (const { reservation_id, sku, quantity, consumed } of lines) {
    byReservation.get(reservation_id)?.push({ sku, quantity: BigInt(quantity), consumed: BigInt(consumed) });
  }
  return rows.map((row) => ({
    tenant: row.tenant_id,
    id: row.id,
    order: row.order_name,
    state: row.state,
    lines: byReservation.get(row.id) ?? [],
    expiresAt: row.expires_at ?? undefined,
    overdue: row.overdue === 1,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }));
}
