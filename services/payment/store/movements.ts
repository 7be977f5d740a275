import type { Kysely } from "kysely";
import type { PaymentDatabase } from "../db/schema.ts";
import { MOVEMENT_KINDS, type MovementKind } from "../domain/payment.ts";

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
