import type { Kysely, Selectable, Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { upsert } from "../../runtime/db/sql.ts";
import type { PaymentDatabase, RefundsTable } from "../db/schema.ts";
import type { Payment, Refund } from "../domain/payment.ts";

/** Reads the refunds of payments by the payments' uids, the oldest first. */
export async function refundsOf(
  kysely: Kysely<PaymentDatabase>,
  tenant: string,
  paymentUids: readonly string[],
): Promise<ReadonlyMap<string, readonly Refund[]>> {
  const byPayment = new Map<string, Refund[]>(paymentUids.map((uid) => [uid, []]));
  if (paymentUids.length > 0) {
    const rows = await kysely
      .selectFrom("refunds")
      .selectAll()
      .where("tenant_id", "=", tenant)
      .where("payment_uid", "in", [...paymentUids])
      .orderBy("created_at")
      .orderBy("id")
      .execute();
    for (const row of rows) {
      byPayment.get(row.payment_uid)?.push(toRefund(row));
    }
  }
  return byPayment;
}

/** Writes refunds that are new or have changed. The payment is locked. */
export async function saveRefunds(
  trx: Transaction<PaymentDatabase>,
  dialect: DialectName,
  payment: Payment,
  refunds: readonly Refund[],
): Promise<void> {
  if (refunds.length === 0) {
    return;
  }
  const rows = refunds.map((refund) => ({
    tenant_id: payment.tenant,
    payment_uid: payment.uid,
    id: refund.id,
    provider_reference: refund.reference ?? null,
    amount: refund.amount,
    state: refund.state,
    settlement: Number(refund.settlement),
    reason: refund.reason,
    failure_message: refund.failureMessage,
    created_at: refund.createdAt,
  }));
  await upsert(dialect, trx.insertInto("refunds").values(rows), {
    key: ["tenant_id", "payment_uid", "id"],
    update: ["provider_reference", "amount", "state", "settlement", "failure_message"],
  }).execute();
}

function toRefund(row: Selectable<RefundsTable>): Refund {
  return {
    id: row.id,
    reference: row.provider_reference ?? undefined,
    amount: BigInt(row.amount),
    state: row.state,
    settlement: row.settlement === 1,
    reason: row.reason,
    failureMessage: row.failure_message,
    createdAt: row.created_at,
  };
}
