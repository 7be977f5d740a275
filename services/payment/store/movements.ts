import type { Kysely, Transaction } from "kysely";
import type { Ids } from "../../runtime/values/ids.ts";
import type { PaymentDatabase } from "../db/schema.ts";
import { MOVEMENT_KINDS, type Movement, type MovementKind, type Payment } from "../domain/payment.ts";

/** Appends entries to the ledger, in the transaction that changes the payment's columns by the same amounts. */
export async function insertMovements(
  trx: Transaction<PaymentDatabase>,
  ids: Ids,
  payment: Payment,
  movements: readonly Movement[],
  cause: string,
): Promise<void> {
  if (movements.length === 0) {
    return;
  }
  const rows = movements.map(({ kind, amount }) => ({
    tenant_id: payment.tenant,
    payment_uid: payment.uid,
    id: ids.next(),
    kind,
    amount,
    currency: payment.currency,
    cause,
    created_at: payment.updatedAt,
  }));
  await trx.insertInto("payment_movements").values(rows).execute();
}

/** Sums the ledger into the values that the payment's columns must have. */
export async function ledgerSums(
  kysely: Kysely<PaymentDatabase>,
  tenant: string,
  paymentUid: string,
): Promise<Readonly<Record<MovementKind, bigint>>> {
  const rows = await kysely
    .selectFrom("payment_movements")
    .select(["kind", "amount"])
    .where("tenant_id", "=", tenant)
    .where("payment_uid", "=", paymentUid)
    .execute();
  const sums = Object.fromEntries(MOVEMENT_KINDS.map((kind) => [kind, 0n])) as Record<MovementKind, bigint>;
  for (const { kind, amount } of rows) {
    sums[kind] += BigInt(amount);
  }
  return sums;
}
