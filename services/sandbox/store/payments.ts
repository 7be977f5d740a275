import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { Database, DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore, nowMs } from "../../runtime/db/sql.ts";
import type { PaymentsTable, SandboxDatabase } from "../db/schema.ts";
import type { SandboxPayment, SandboxStep } from "../domain/payment.ts";

type Trx = Transaction<SandboxDatabase>;

/** The database's clock. */
export async function databaseNow(kysely: Kysely<SandboxDatabase>, dialect: DialectName): Promise<number> {
  const { rows } = await sql<{ now: number }>`select ${nowMs(dialect)} as now`.execute(kysely);
  return rows[0]?.now ?? 0;
}

/** Returns false if a payment with this key exists. */
export function insertSandboxPayment(trx: Trx, payment: SandboxPayment): Promise<boolean> {
  return insertIgnore(trx, "payments", {
    reference: payment.reference,
    open_key: payment.openKey,
    tenant: payment.tenant,
    payment: payment.payment,
    currency: payment.currency,
    amount: payment.amount,
    token: payment.token,
    capture_automatically: Number(payment.captureAutomatically),
    client_secret: payment.clientSecret,
    expires_at: payment.expiresAt,
  });
}

/** Reads the payment by one of its unique columns and locks it until the transaction ends. */
export async function lockSandboxPayment(
  trx: Trx,
  dialect: DialectName,
  column: "reference" | "open_key" | "client_secret",
  value: string,
): Promise<SandboxPayment | undefined> {
  const query = trx.selectFrom("payments").selectAll().where(column, "=", value);
  const row = await forUpdate(dialect, query).executeTakeFirst();
  return row && toSandboxPayment(row);
}

export async function findSandboxPayment(
  kysely: Kysely<SandboxDatabase>,
  column: "reference" | "client_secret",
  value: string,
): Promise<SandboxPayment | undefined> {
  const row = await kysely.selectFrom("payments").selectAll().where(column, "=", value).executeTakeFirst();
  return row && toSandboxPayment(row);
}

/** Past and scheduled steps, in the order of their decisions. */
export async function stepsOf(kysely: Kysely<SandboxDatabase>, reference: string): Promise<readonly SandboxStep[]> {
  const rows = await kysely
    .selectFrom("payment_steps")
    .selectAll()
    .where("reference", "=", reference)
    .orderBy("number")
    .execute();
  return rows.map((row) => ({
    number: row.number,
    effectiveAt: row.effective_at,
    kind: row.kind,
    amount: BigInt(row.amount),
    refundId: row.refund_id,
    refundReference: row.refund_reference,
    message: row.message,
    requestKey: row.request_key,
  }));
}

export async function insertSteps(trx: Trx, reference: string, steps: readonly SandboxStep[]): Promise<void> {
  if (steps.length === 0) {
    return;
  }
  const rows = steps.map((step) => ({
    reference,
    number: step.number,
    effective_at: step.effectiveAt,
    kind: step.kind,
    amount: step.amount,
    refund_id: step.refundId,
    refund_reference: step.refundReference,
    message: step.message,
    request_key: step.requestKey,
  }));
  await trx.insertInto("payment_steps").values(rows).execute();
}

export async function deleteSteps(trx: Trx, reference: string, steps: readonly SandboxStep[]): Promise<void> {
  if (steps.length > 0) {
    const numbers = steps.map(({ number }) => number);
    await trx.deleteFrom("payment_steps").where("reference", "=", reference).where("number", "in", numbers).execute();
  }
}

/** Deletes the payments with their steps. */
export async function deleteSandboxPayments(
  db: Database<SandboxDatabase>,
  payments: readonly { readonly reference: string }[],
): Promise<void> {
  const references = payments.map(({ reference }) => reference);
  await db.transaction(async (trx) => {
    await trx.deleteFrom("payment_steps").where("reference", "in", references).execute();
    await trx.deleteFrom("payments").where("reference", "in", references).execute();
  });
}

function toSandboxPayment(row: Selectable<PaymentsTable>): SandboxPayment {
  return {
    reference: row.reference,
    openKey: row.open_key,
    tenant: row.tenant,
    payment: row.payment,
    currency: row.currency,
    amount: BigInt(row.amount),
    token: row.token,
    captureAutomatically: row.capture_automatically === 1,
    clientSecret: row.client_secret,
    expiresAt: row.expires_at,
  };
}
