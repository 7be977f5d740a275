import { type Kysely, sql } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { sumOf } from "../../runtime/db/sql.ts";
import type { OrderDatabase } from "../db/schema.ts";

const DAY_MS = 86_400_000;

/** Orders of one day, state and currency. */
export interface OrderCount {
  /** Start of the day, UTC, in epoch milliseconds. */
  readonly day: number;
  readonly state: string;
  readonly currency: string;
  readonly count: number;
  /** Sum of the orders' totals, in minor units. */
  readonly total: bigint;
  /** Sum of refunds, in minor units. */
  readonly refunded: bigint;
}

/** Counts a tenant's orders created in a half-open interval, the oldest day first. One statement. */
export async function countOrders(
  db: Kysely<OrderDatabase>,
  dialect: DialectName,
  { tenant, from, until }: { readonly tenant: string; readonly from: number; readonly until: number },
): Promise<OrderCount[]> {
  const day = sql<number>`(created_at - created_at % ${sql.lit(DAY_MS)})`;
  const rows = await db
    .selectFrom("orders")
    .select(({ fn, ref }) => [
      day.as("day"),
      "state",
      "currency",
      fn.countAll<number>().as("count"),
      sumOf(dialect, ref("total")).as("total"),
      sumOf(dialect, ref("refunded")).as("refunded"),
    ])
    .where("tenant_id", "=", tenant)
    .where("created_at", ">=", from)
    .where("created_at", "<", until)
    .groupBy([day, "state", "currency"])
    .orderBy("day")
    .execute();
  return rows.map((row) => ({
    ...row,
    count: Number(row.count),
    total: BigInt(row.total),
    refunded: BigInt(row.refunded),
  }));
}
