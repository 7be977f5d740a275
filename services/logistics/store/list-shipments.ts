import { type Kysely, sql } from "kysely";
import type { PageKey, PageKeysOf } from "../../runtime/api/page-token.ts";
import type { DialectName } from "../../runtime/db/connect.ts";
import { compileFilter, type SqlFilterField } from "../../runtime/db/filter-sql.ts";
import { afterRow, orderByKeys, type SortKey } from "../../runtime/db/keyset.ts";
import { jsonText } from "../../runtime/db/sql.ts";
import type { LogisticsDatabase } from "../db/schema.ts";
import type { StoredShipment } from "../domain/shipment.ts";
import { shipmentStates } from "../domain/shipment-state.ts";
import { toShipments } from "./shipment-rows.ts";

const filterFields = (dialect: DialectName) =>
  ({
    state: {
      type: "enum",
      values: Object.fromEntries(shipmentStates.map((state) => [state, state])),
      sql: sql.ref("state"),
    },
    carrier: { type: "string", sql: sql.ref("carrier") },
    tracking_number: { type: "string", sql: sql.ref("tracking_number") },
    create_time: { type: "timestamp", sql: sql.ref("created_at") },
    labels: { type: "map", sql: (key) => jsonText(dialect, sql.ref("labels"), key) },
  }) satisfies Record<string, SqlFilterField>;

const keys: readonly SortKey[] = [
  { sql: sql.ref("created_at"), direction: "desc" },
  { sql: sql.ref("id"), direction: "desc" },
];

/** Returns a shipment's keyset page keys. */
export function shipmentPageKeys({ createdAt, id }: StoredShipment): PageKeysOf<["integer", "text"]> {
  return [createdAt, id];
}

export interface ShipmentPage {
  /** Undefined for the shipments of all orders. */
  readonly orderId: string | undefined;
  readonly filter: string;
  /** Page keys of the previous page's last shipment. */
  readonly after: readonly PageKey[] | undefined;
  readonly limit: number;
}

/** Lists shipments of one order or of all, newest first, after a page key. Throws INVALID_ARGUMENT on a bad filter. */
export async function listShipmentsAfter(
  db: Kysely<LogisticsDatabase>,
  dialect: DialectName,
  tenant: string,
  page: ShipmentPage,
): Promise<StoredShipment[]> {
  return toShipments(db, await shipmentsAfterQuery(db, dialect, tenant, page).execute());
}

/** The query of {@link listShipmentsAfter}, exported for tests of its execution plan. */
export function shipmentsAfterQuery(
  db: Kysely<LogisticsDatabase>,
  dialect: DialectName,
  tenant: string,
  page: ShipmentPage,
) {
  const where = compileFilter(page.filter, filterFields(dialect), dialect);
  let query = db.selectFrom("shipments").selectAll().where("tenant_id", "=", tenant);
  if (page.orderId !== undefined) {
    query = query.where("order_id", "=", page.orderId);
  }
  if (where) {
    query = query.where(where);
  }
  if (page.after) {
    query = query.where(afterRow(keys, page.after));
  }
  return query.orderBy(orderByKeys(keys)).limit(page.limit);
}
