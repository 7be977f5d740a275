import { type Kysely, sql } from "kysely";
import { type List, type ListPage, selectPage } from "../../runtime/api/list.ts";
import { LINE_BYTES } from "../../runtime/api/read-page.ts";
import type { InventoryDatabase } from "../db/schema.ts";
import { type ReservationValue, reservationStates } from "../domain/reservation.ts";
import { selectReservations, withLines } from "./reservations.ts";

/** ListReservations: newest first. */
export const reservationList: List<ReservationValue> = {
  method: "ListReservations",
  filter: {
    state: {
      type: "enum",
      values: Object.fromEntries(reservationStates.map((state) => [state, state])),
      sql: sql.ref("state"),
    },
    order: { type: "string", sql: sql.ref("order_name") },
    create_time: { type: "timestamp", sql: sql.ref("created_at") },
  },
  unique: { sql: sql.ref("id"), kind: "text", of: ({ id }) => id },
  order: {
    by: [{ sql: sql.ref("created_at"), kind: "integer", of: ({ createdAt }) => createdAt }],
    direction: "desc",
  },
  bytesOf: ({ lines }) => 400 + lines.length * LINE_BYTES,
};

/** Reads a page of a tenant's reservations. */
export async function listReservations(
  db: Kysely<InventoryDatabase>,
  tenant: string,
  page: ListPage,
): Promise<ReservationValue[]> {
  return withLines(db, await reservationsQuery(db, tenant, page).execute());
}

/** The list query, exported for tests of its execution plan. */
export function reservationsQuery(db: Kysely<InventoryDatabase>, tenant: string, page: ListPage) {
  return selectPage(selectReservations(db).where("tenant_id", "=", tenant), page);
}
