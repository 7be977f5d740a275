import { sql } from "kysely";
import { type StoredCallback, toCallback } from "../../runtime/callbacks/rows.ts";
import type { Database } from "../../runtime/db/connect.ts";
import { compileFilter, type SqlFilterField } from "../../runtime/db/filter-sql.ts";
import type { PaymentDatabase } from "../db/schema.ts";
import type { Payment } from "../domain/payment.ts";
import { PAYMENT_STATES } from "../domain/payment-state.ts";
import { toPayment } from "./payment-rows.ts";

/** Keyset-paginated lists, newest first, at a constant cost per page. */

export interface ListQuery {
  readonly tenant: string;
  /** AIP-160. */
  readonly filter: string;
  /** Only rows older than this id, the last of the previous page. */
  readonly before: string | undefined;
  readonly limit: number;
}

const PAYMENT_FIELDS = {
  state: { type: "enum", values: namesOf(PAYMENT_STATES), sql: sql.ref("state") },
  provider: { type: "string", sql: sql.ref("provider") },
  provider_reference: { type: "string", sql: sql.ref("provider_reference") },
  create_time: { type: "timestamp", sql: sql.ref("created_at") },
} as const satisfies Record<string, SqlFilterField>;

const CALLBACK_FIELDS = {
  provider: { type: "string", sql: sql.ref("source") },
  event_id: { type: "string", sql: sql.ref("event_id") },
  event_type: { type: "string", sql: sql.ref("event_type") },
  state: {
    type: "enum",
    values: namesOf(["RECEIVED", "PROCESSED", "IGNORED", "FAILED"]),
    sql: sql.ref("state"),
  },
  payment: { type: "string", sql: sql.ref("subject") },
  create_time: { type: "timestamp", sql: sql.ref("received_at") },
} as const satisfies Record<string, SqlFilterField>;

/** Reads a page of payments, of one order or of all. */
export async function selectPayments(
  { kysely, dialect }: Pick<Database<PaymentDatabase>, "kysely" | "dialect">,
  { tenant, orderId, filter, before, limit }: ListQuery & { readonly orderId: string | undefined },
): Promise<readonly Payment[]> {
  const condition = compileFilter(filter, PAYMENT_FIELDS, dialect);
  const rows = await kysely
    .selectFrom("payments")
    .selectAll()
    .where("tenant_id", "=", tenant)
    .$if(orderId !== undefined, (query) => query.where("order_id", "=", orderId ?? ""))
    .$if(before !== undefined, (query) => query.where("id", "<", before ?? ""))
    .$if(condition !== undefined, (query) => query.where(condition ?? sql<boolean>`1 = 1`))
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
  return rows.map(toPayment);
}

/** Reads a page of a tenant's callbacks, including those of unknown payments if `unmatched` is set. */
export async function selectCallbacks(
  { kysely, dialect }: Pick<Database<PaymentDatabase>, "kysely" | "dialect">,
  { tenant, unmatched, filter, before, limit }: ListQuery & { readonly unmatched: boolean },
): Promise<readonly StoredCallback[]> {
  const condition = compileFilter(filter, CALLBACK_FIELDS, dialect);
  const rows = await kysely
    .selectFrom("inbound_callbacks")
    .selectAll()
    .where((row) =>
      unmatched ? row.or([row("tenant_id", "=", tenant), row("tenant_id", "is", null)]) : row("tenant_id", "=", tenant),
    )
    .$if(before !== undefined, (query) => query.where("id", "<", before ?? ""))
    .$if(condition !== undefined, (query) => query.where(condition ?? sql<boolean>`1 = 1`))
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
  return rows.map(toCallback);
}

function namesOf(values: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(values.map((value) => [value, value]));
}
