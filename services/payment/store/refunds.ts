import type { Kysely, Selectable } from "kysely";
import type { PaymentDatabase, RefundsTable } from "../db/schema.ts";
import type { Refund } from "../domain/payment.ts";

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

/** Converts a row to a refund. */
export function toRefund(row: Selectable<RefundsTable>): Refund {
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
