import { type Kysely, sql } from "kysely";
import type { PageKey, PageKeysOf } from "../../runtime/api/page-token.ts";
import type { DialectName } from "../../runtime/db/connect.ts";
import { compileFilter, type SqlFilterField } from "../../runtime/db/filter-sql.ts";
import { afterRow, orderByKeys, type SortKey } from "../../runtime/db/keyset.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import { reservationStates, type StoredReservation } from "../domain/reservation.ts";
import { selectReservations, withLines } from "./reservations.ts";

const filterFields = {
  state: {
    type: "enum",
    values: Object.fromEntries(reservationStates.map((state) => [state, state])),
    sql: sql.ref("state"),
  },
  order: { type: "string", sql: sql.ref("order_name") },
  create_time: { type: "timestamp", sql: sql.ref("created_at") },
} satisfies Record<string, SqlFilterField>;

const keys: readonly SortKey[] = [
  { sql: sql.ref("created_at"), direction: "desc" },
  { sql: sql.ref("id"), direction: "desc" },
];

/** A reservation's place in the list. */
export function reservationPageKeys({ createdAt, id }: StoredReservation): PageKeysOf<["integer", "text"]> {
  return [createdAt, id];
}

export interface ReservationPage {
  readonly filter: string;
  /** The place of the last reservation of the page before. */
  readonly after: readonly PageKey[] | undefined;
  readonly limit: number;
}

/** Reservations, the newest first, after a place in the list. Throws INVALID_ARGUMENT for a filter that is wrong. */
export async function listReservationsAfter(
  db: Kysely<InventoryDatabase>,
  dialect: DialectName,
  tenant: string,
  page: ReservationPage,
): Promise<StoredReservation[]> {
  return withLines(db, await reservationsAfterQuery(db, dialect, tenant, page).execute());
}

/** Its query, for looking at its plan. */
export function reservationsAfterQuery(
  db: Kysely<InventoryDatabase>,
  dialect: DialectName,
  tenant: string,
  page: ReservationPage,
) {
  const where = compileFilter(page.filter, filterFields, dialect);
  let query = selectReservations(db, dialect).where("tenant_id", "=", tenant);
  if (where) {
    query = query.where(where);
  }
  if (page.after) {
    query = query.where(afterRow(keys, page.after));
  }
  return query.orderBy(orderByKeys(keys)).limit(page.limit);
}
