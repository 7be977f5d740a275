import { type Kysely, sql, type Transaction } from "kysely";
import type { DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore, nowMs } from "../../runtime/db/sql.ts";
import type { Claimed } from "../../runtime/jobs/claim-due.ts";
import type { PaymentDatabase } from "../db/schema.ts";
import type { Payment } from "../domain/payment.ts";
import { toChangingColumns, toPayment, toRow } from "./payment-rows.ts";

type Trx = Transaction<PaymentDatabase>;

/** The key of a payment within the installation. */
export interface PaymentKey {
  readonly tenant: string;
  readonly orderId: string;
  readonly paymentId: string;
}

/** Milliseconds until the next poll, by the database's clock; undefined for none. */
export type NextPoll = number | undefined;

export async function findPayment(kysely: Kysely<PaymentDatabase>, key: PaymentKey): Promise<Payment | undefined> {
  const row = await byKey(kysely, key).executeTakeFirst();
  return row && toPayment(row);
}

/** Reads the payment and locks it until the transaction ends. */
export async function lockPayment(trx: Trx, dialect: DialectName, key: PaymentKey): Promise<Payment | undefined> {
  const row = await forUpdate(dialect, byKey(trx, key)).executeTakeFirst();
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

export async function lockPaymentByReference(
  trx: Trx,
  dialect: DialectName,
  provider: string,
  reference: string,
): Promise<Payment | undefined> {
  const query = trx
    .selectFrom("payments")
    .selectAll()
    .where("provider", "=", provider)
    .where("provider_reference", "=", reference);
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

/** Inserts a payment that expires in `ttlMs` by the database's clock. Returns false if the name exists. */
export async function insertPayment(trx: Trx, dialect: DialectName, payment: Payment, ttlMs: number): Promise<boolean> {
  const expiresAt = sql<number>`${nowMs(dialect)} + ${ttlMs}`;
  return insertIgnore(trx, "payments", { ...toRow(payment), expires_at: expiresAt, due_at: expiresAt });
}

/** Inserts a name that was settled before it was used. Returns false if the name exists. */
export async function insertTombstone(trx: Trx, payment: Payment): Promise<boolean> {
  return insertIgnore(trx, "payments", toRow(payment));
}

/** Writes the next version of a payment that this transaction has locked. */
export async function updatePayment(trx: Trx, dialect: DialectName, payment: Payment, look: NextPoll): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable("payments")
    .set({ ...toChangingColumns(payment), attempt: 0, due_at: dueAt(dialect, look) })
    .where("tenant_id", "=", payment.tenant)
    .where("order_id", "=", payment.orderId)
    .where("payment_id", "=", payment.paymentId)
    .where("version", "=", payment.version - 1)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows !== 1n) {
    throw new Error(`payment ${payment.uid} changed under its lock`);
  }
}

/** Schedules the next poll of a payment that did not change in this one. */
export async function postponeLook(
  kysely: Kysely<PaymentDatabase>,
  dialect: DialectName,
  { id, attempt }: Claimed,
  look: NextPoll,
): Promise<void> {
  await kysely
    .updateTable("payments")
    .set({ due_at: dueAt(dialect, look) })
    .where("id", "=", id)
    .where("attempt", "=", attempt)
    .execute();
}

function byKey(kysely: Kysely<PaymentDatabase>, key: PaymentKey) {
  return kysely
    .selectFrom("payments")
    .selectAll()
    .where("tenant_id", "=", key.tenant)
    .where("order_id", "=", key.orderId)
    .where("payment_id", "=", key.paymentId);
}

function dueAt(dialect: DialectName, inMs: NextPoll) {
  return inMs === undefined ? null : sql<number>`${nowMs(dialect)} + ${Math.ceil(inMs)}`;
}
