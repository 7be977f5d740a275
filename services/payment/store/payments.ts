import type { Kysely, Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate } from "../../runtime/db/sql.ts";
import type { PaymentDatabase } from "../db/schema.ts";
import type { Payment } from "../domain/payment.ts";
import { toPayment } from "./payment-rows.ts";

type Trx = Transaction<PaymentDatabase>;

/** The key of a payment within the installation. */
export interface PaymentKey {
  readonly tenant: string;
  readonly orderId: string;
  readonly paymentId: string;
}

export async function findPayment(kysely: Kysely<PaymentDatabase>, key: PaymentKey): Promise<Payment | undefined> {
  const row = await byKey(kysely, key).executeTakeFirst();
  return row && toPayment(row);
}

export async function findPaymentByUid(kysely: Kysely<PaymentDatabase>, uid: string): Promise<Payment | undefined> {
  const row = await kysely.selectFrom("payments").selectAll().where("id", "=", uid).executeTakeFirst();
  return row && toPayment(row);
}

export async function lockPaymentByUid(trx: Trx, dialect: DialectName, uid: string): Promise<Payment | undefined> {
  const query = trx.selectFrom("payments").selectAll().where("id", "=", uid);
  const row = await forUpdate(dialect, query).executeTakeFirst();
  return row && toPayment(row);
}

/** The uids of an order's payments, the oldest first. */
export async function paymentUidsOfOrder(
  kysely: Kysely<PaymentDatabase>,
  tenant: string,
  orderId: string,
): Promise<string[]> {
  const rows = await kysely
    .selectFrom("payments")
    .select("id")
    .where("tenant_id", "=", tenant)
    .where("order_id", "=", orderId)
    .orderBy("id")
    .execute();
  return rows.map(({ id }) => id);
}

function byKey(kysely: Kysely<PaymentDatabase>, key: PaymentKey) {
  return kysely
    .selectFrom("payments")
    .selectAll()
    .where("tenant_id", "=", key.tenant)
    .where("order_id", "=", key.orderId)
    .where("payment_id", "=", key.paymentId);
}
