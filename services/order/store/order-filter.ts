import { type Expression, type SqlBool, sql } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import type { SqlFilterField } from "../../runtime/db/filter-sql.ts";
import { jsonText } from "../../runtime/db/sql.ts";
import { orderStates } from "../domain/order-state.ts";
import { paymentStates } from "../domain/payment-state.ts";

const named = (values: readonly string[]) => Object.fromEntries(values.map((value) => [value, value]));

/** The fields below whose values may contain personal data. */
export const customerFields = ["customer", "labels"];

/** The fields that orders can be filtered by, over a query of the table `orders`. */
export function orderFilterFields(dialect: DialectName): Readonly<Record<string, SqlFilterField>> {
  // Without statistics, SQLite uses the SKU index for a pattern and reads all lines of the tenant for each order.
  const byOrder = sql.raw(dialect === "sqlite" ? "indexed by sqlite_autoindex_order_lines_1" : "");
  return {
    state: { type: "enum", values: named(orderStates), sql: sql.ref("orders.state") },
    payment_state: { type: "enum", values: named(paymentStates), sql: sql.ref("orders.payment_state") },
    "customer.id": { type: "string", sql: sql.ref("orders.customer_id") },
    external_id: { type: "string", sql: sql.ref("orders.external_id") },
    labels: { type: "map", sql: (key) => jsonText(dialect, sql.ref("orders.labels"), key) },
    create_time: { type: "timestamp", sql: sql.ref("orders.created_at") },
    update_time: { type: "timestamp", sql: sql.ref("orders.updated_at") },
    currency_code: { type: "string", sql: sql.ref("orders.currency") },
    sku: {
      type: "string",
      repeated: true,
      sql: sql.ref("line.sku"),
      exists: (condition: Expression<SqlBool>) =>
        sql<SqlBool>`exists (
          select 1 from order_lines as line ${byOrder}
          where line.tenant_id = orders.tenant_id and line.order_id = orders.id and ${condition})`,
    },
  };
}
