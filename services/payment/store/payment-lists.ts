import { type Kysely, sql } from "kysely";
import { type List, type ListPage, selectPage } from "../../runtime/api/list.ts";
import { type StoredCallback, toCallback } from "../../runtime/callbacks/rows.ts";
import type { PaymentDatabase } from "../db/schema.ts";
import type { Payment, Refund } from "../domain/payment.ts";
import { PAYMENT_STATES } from "../domain/payment-state.ts";
import { toPayment } from "./payment-rows.ts";
import { refundsOf } from "./refunds.ts";

/** A payment as listed. */
export interface ListedPayment {
  readonly payment: Payment;
  readonly refunds: readonly Refund[];
}

/** ListPayments: newest first. */
export const paymentList: List<ListedPayment> = {
  method: "ListPayments",
  filter: {
    state: { type: "enum", values: namesOf(PAYMENT_STATES), sql: sql.ref("state") },
    provider: { type: "string", sql: sql.ref("provider") },
    provider_reference: { type: "string", sql: sql.ref("provider_reference") },
    create_time: { type: "timestamp", sql: sql.ref("created_at") },
  },
  unique: { sql: sql.ref("id"), kind: "text", of: ({ payment }) => payment.uid },
  order: { direction: "desc" },
  bytesOf: ({ payment, refunds }) => 800 + payment.failureMessage.length + 400 * refunds.length,
};

/** ListPaymentCallbacks: newest first. */
export const callbackList: List<StoredCallback> = {
  method: "ListPaymentCallbacks",
  filter: {
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
  },
  unique: { sql: sql.ref("id"), kind: "text", of: ({ id }) => id },
  order: { direction: "desc" },
  // Base64 in JSON.
  bytesOf: ({ body, failureMessage }) => 500 + body.length * (4 / 3) + failureMessage.length,
  firstRead: 4,
};

/** Reads a page of payments with their refunds, of one order or of all. */
export async function selectPayments(
  kysely: Kysely<PaymentDatabase>,
  { tenant, orderId }: { readonly tenant: string; readonly orderId: string | undefined },
  page: ListPage,
): Promise<readonly ListedPayment[]> {
  const all = kysely.selectFrom("payments").selectAll().where("tenant_id", "=", tenant);
  const query = selectPage(orderId === undefined ? all : all.where("order_id", "=", orderId), page);
  const payments = (await query.execute()).map(toPayment);
  const captured = payments.filter((payment) => payment.captured > 0n).map((payment) => payment.uid);
  const refunds = await refundsOf(kysely, tenant, captured);
  return payments.map((payment) => ({ payment, refunds: refunds.get(payment.uid) ?? [] }));
}

/** Reads a page of a tenant's callbacks, including those of unknown payments if `unmatched` is set. */
export async function selectCallbacks(
  kysely: Kysely<PaymentDatabase>,
  { tenant, unmatched }: { readonly tenant: string; readonly unmatched: boolean },
  page: ListPage,
): Promise<readonly StoredCallback[]> {
  const query = kysely
    .selectFrom("inbound_callbacks")
    .selectAll()
    .where((row) =>
      unmatched ? row.or([row("tenant_id", "=", tenant), row("tenant_id", "is", null)]) : row("tenant_id", "=", tenant),
    );
  return (await selectPage(query, page).execute()).map(toCallback);
}

function namesOf(values: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(values.map((value) => [value, value]));
}
