import type { Transaction } from "kysely";
import type { PaymentContext } from "../../context.ts";
import type { PaymentDatabase } from "../../db/schema.ts";
import { type PlannedOperation, planOperation } from "../../domain/operation.ts";
import type { PaymentAggregate } from "../../record-change.ts";
import { type CallerKey, insertOperation } from "../../store/operations.ts";
import type { StartedOperation } from "./execute-operation.ts";

/**
 * Writes an operation that this process executes right after the commit. Its lease keeps the workers off meanwhile; if
 * this process crashes, they claim the operation once the lease expires.
 */
export async function startOperation(
  { db, clock, ids, timing }: PaymentContext,
  trx: Transaction<PaymentDatabase>,
  file: PaymentAggregate,
  plan: Omit<PlannedOperation, "id" | "attempt">,
  caller?: CallerKey,
): Promise<StartedOperation> {
  const operation = planOperation(file.payment, file.operations, { ...plan, id: ids.next(), attempt: 1 });
  await insertOperation(trx, db.dialect, operation, {
    delayMs: 2 * timing.providerTimeoutMs,
    createdAt: clock.now().getTime(),
    caller,
  });
  return { file: { ...file, operations: [...file.operations, operation] }, operation };
}
