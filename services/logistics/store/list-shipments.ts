import { type Kysely, sql } from "kysely";
import { type List, type ListPage, selectPage } from "../../runtime/api/list.ts";
import { LINE_BYTES } from "../../runtime/api/read-page.ts";
import { jsonText } from "../../runtime/db/sql.ts";
import type { LogisticsDatabase } from "../db/schema.ts";
import type { StoredShipment } from "../domain/shipment.ts";
import { shipmentStates } from "../domain/shipment-state.ts";
import { toShipments } from "./shipment-rows.ts";

/** ListShipments: newest first. */
export const shipmentList: List<StoredShipment> = {
  method: "ListShipments",
  filter: (dialect) => ({
    state: {
      type: "enum",
      values: Object.fromEntries(shipmentStates.map((state) => [state, state])),
      sql: sql.ref("state"),
    },
    carrier: { type: "string", sql: sql.ref("carrier") },
    tracking_number: { type: "string", sql: sql.ref("tracking_number") },
    create_time: { type: "timestamp", sql: sql.ref("created_at") },
    labels: { type: "map", sql: (key) => jsonText(dialect, sql.ref("labels"), key) },
  }),
  unique: { sql: sql.ref("id"), kind: "text", of: ({ id }) => id },
  order: {
    by: [{ sql: sql.ref("created_at"), kind: "integer", of: ({ createdAt }) => createdAt }],
    direction: "desc",
  },
  bytesOf: ({ lines, events, labels }) =>
    800 + (lines.length + events.length) * LINE_BYTES + JSON.stringify(labels).length,
};

/** Whose shipments to list. */
export interface ShipmentScope {
  readonly tenant: string;
  /** Default: all orders. */
  readonly orderId?: string | undefined;
}

/** Reads a page of the shipments of one order or of all. */
export async function listShipments(
  db: Kysely<LogisticsDatabase>,
  scope: ShipmentScope,
  page: ListPage,
): Promise<StoredShipment[]> {
  return toShipments(db, await shipmentsQuery(db, scope, page).execute());
}

/** The list query, exported for tests of its execution plan. */
export function shipmentsQuery(db: Kysely<LogisticsDatabase>, { tenant, orderId }: ShipmentScope, page: ListPage) {
  const all = db.selectFrom("shipments").selectAll().where("tenant_id", "=", tenant);
  return selectPage(orderId === undefined ? all : all.where("order_id", "=", orderId), page);
}
