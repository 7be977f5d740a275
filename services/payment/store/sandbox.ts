import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import type { Database, DialectName } from "../../runtime/db/connect.ts";
import { forUpdate, insertIgnore, nowMs } from "../../runtime/db/sql.ts";
import { RETENTION_BATCH } from "../../runtime/retention/retention.ts";
import type { Clock } from "../../runtime/values/clock.ts";
import { firstIdAt } from "../../runtime/values/ids.ts";
import type { PaymentDatabase, SandboxPaymentsTable, SandboxStepKind } from "../db/schema.ts";

type Trx = Transaction<PaymentDatabase>;

/** A payment as stored by the sandbox. */
export interface SandboxPayment {
  readonly reference: string;
  readonly openKey: string;
  readonly tenant: string;
  readonly payment: string;
  readonly currency: string;
  readonly amount: bigint;
  readonly token: string;
  readonly captureAutomatically: boolean;
  readonly clientSecret: string;
  readonly expiresAt: number;
}

/** A past or scheduled event of a sandbox payment. */
export interface SandboxStep {
  readonly number: number;
  readonly effectiveAt: number;
  readonly kind: SandboxStepKind;
  readonly amount: bigint;
  readonly refundId: string;
  readonly refundReference: string;
  readonly message: string;
  readonly requestKey: string | null;
}

/** The database's clock. */
export async function databaseNow(kysely: Kysely<PaymentDatabase>, dialect: DialectName): Promise<number> {
  const { rows } = await sql<{ now: number }>`select ${nowMs(dialect)} as now`.execute(kysely);
  return rows[0]?.now ?? 0;
}

/** Returns false if a payment with this key exists. */
export function insertSandboxPayment(trx: Trx, payment: SandboxPayment): Promise<boolean> {
  return insertIgnore(trx, "sandbox_payments", {
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
  const query = trx.selectFrom("sandbox_payments").selectAll().where(column, "=", value);
  const row = await forUpdate(dialect, query).executeTakeFirst();
  return row && toSandboxPayment(row);
}

export async function findSandboxPayment(
  kysely: Kysely<PaymentDatabase>,
  column: "reference" | "client_secret",
  value: string,
): Promise<SandboxPayment | undefined> {
  const row = await kysely.selectFrom("sandbox_payments").selectAll().where(column, "=", value).executeTakeFirst();
  return row && toSandboxPayment(row);
}

/** Past and scheduled steps, in the order of their decisions. */
export async function stepsOf(kysely: Kysely<PaymentDatabase>, reference: string): Promise<readonly SandboxStep[]> {
  const rows = await kysely
    .selectFrom("sandbox_steps")
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
  await trx.insertInto("sandbox_steps").values(rows).execute();
}

export async function deleteSteps(trx: Trx, reference: string, steps: readonly SandboxStep[]): Promise<void> {
  if (steps.length > 0) {
    const numbers = steps.map(({ number }) => number);
    await trx.deleteFrom("sandbox_steps").where("reference", "=", reference).where("number", "in", numbers).execute();
  }
}

/**
 * Deletes a batch of payments, with their steps, that were opened and expired longer ago; returns whether there may be
 * more.
 */
export async function deleteSandboxPayments(
  db: Database<PaymentDatabase>,
  clock: Clock,
  keptMs: number,
): Promise<boolean> {
  const before = clock.now().getTime() - keptMs;
  const old = await db.kysely
    .selectFrom("sandbox_payments")
    .select("reference")
    // References are ids, which begin with their time, so rows that are too new are not even read.
    .where("reference", "<", `sbx_${firstIdAt(before)}`)
    .where("expires_at", "<", before)
    .orderBy("reference")
    .limit(RETENTION_BATCH)
    .execute();
  if (old.length > 0) {
    const references = old.map(({ reference }) => reference);
    await db.transaction(async (trx) => {
      await trx.deleteFrom("sandbox_steps").where("reference", "in", references).execute();
      await trx.deleteFrom("sandbox_payments").where("reference", "in", references).execute();
    });
  }
  return old.length === RETENTION_BATCH;
}

function toSandboxPayment(row: Selectable<SandboxPaymentsTable>): SandboxPayment {
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
