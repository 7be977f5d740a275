import { type Kysely, sql } from "kysely";
import type { PageKey, PageKeysOf } from "../../runtime/api/page-token.ts";
import type { DialectName } from "../../runtime/db/connect.ts";
import { compileFilter, type SqlFilterField } from "../../runtime/db/filter-sql.ts";
import { afterRow, orderByKeys, type SortKey } from "../../runtime/db/keyset.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import { type ReservationValue, reservationStates } from "../domain/reservation.ts";
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

/** Returns a reservation's keyset page keys. */
export function reservationPageKeys({ createdAt, id }: ReservationValue): PageKeysOf<["integer", "text"]> {
  return [createdAt, id];
}

export interface ReservationPage {
  readonly filter: string;
  /** Page keys of the previous page's last reservation. */
  readonly after: readonly PageKey[] | undefined;
  readonly limit: number;
}

/** Lists reservations after a page key, newest first. Throws INVALID_ARGUMENT on an invalid filter. */
export async function listReservationsAfter(
  db: Kysely<InventoryDatabase>,
  dialect: DialectName,
  tenant: string,
  page: ReservationPage,
): Promise<ReservationValue[]> {
  return withLines(db, await reservationsAfterQuery(db, dialect, tenant, page).execute());
}

/** The list query, exported for tests of its execution plan. */
export function reservationsAfterQuery(
  db: Kysely<InventoryDatabase>,
  dialect: DialectName,
  tenant: string,
  page: ReservationPage,
) {
  const where = compileFilter(page.filter, filterFields, dialect);
  let query = selectReservations(db).where("tenant_id", "=", tenant);
  if (where) {
    query = query.where(where);
  }
  if (page.after) {
    query = query.where(afterRow(keys, page.after));
  }
  return query.orderBy(orderByKeys(keys)).limit(page.limit);
}
