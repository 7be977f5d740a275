import type { Batch } from "../../../runtime/commands/command.ts";
import type { PaymentContext } from "../../context.ts";
import { type PlannedOperation, planOperation } from "../../domain/operation.ts";
import { type CallerKey, scheduled } from "../../store/operations.ts";
import type { PaymentAggregate } from "../../store/payment-aggregate.ts";
import type { StartedOperation } from "./execute-operation.ts";

/**
 * Adds an operation that this process executes right after the commit. Its lease keeps the workers off meanwhile; if
 * this process crashes, they claim the operation once the lease expires. The caller writes the payment.
 */
export function startOperation(
  { clock, ids, timing }: PaymentContext,
  batch: Batch,
  file: PaymentAggregate,
  plan: Omit<PlannedOperation, "id" | "attempt">,
  caller?: CallerKey,
): StartedOperation {
  const planned = planOperation(file.payment, file.operations, { ...plan, id: ids.next(), attempt: 1 });
  const dueAt = batch.nowMs + 2 * timing.current.providerTimeoutMs;
  const operation = scheduled(planned, { createdAt: clock.now().getTime(), dueAt, caller });
  return { file: { ...file, operations: [...file.operations, operation] }, operation };
}
