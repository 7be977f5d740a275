import type { Transaction } from "kysely";
import type { WebhookSender } from "../../../runtime/webhooks/webhook-sender.ts";
import type { PaymentDatabase } from "../../db/schema.ts";
import { deleteSteps, type SandboxPayment, type SandboxStep } from "../../store/sandbox.ts";

/** Cancels the future payment steps, with their callbacks. Returns the remaining steps. */
export async function withdrawSteps(
  trx: Transaction<PaymentDatabase>,
  sender: WebhookSender,
  payment: SandboxPayment,
  steps: readonly SandboxStep[],
  nowMs: number,
): Promise<readonly SandboxStep[]> {
  const isComing = (step: SandboxStep) => COMING.has(step.kind) && step.effectiveAt > nowMs;
  const future = steps.filter(isComing);
  await deleteSteps(trx, payment.reference, future);
  await sender.cancel(
    trx,
    future.map((step) => eventIdOf(payment, step)),
  );
  return steps.filter((step) => !isComing(step));
}

const COMING: ReadonlySet<SandboxStep["kind"]> = new Set(["action_required", "authorized", "captured", "failed"]);

/** The id of the event that reports a step. */
export function eventIdOf(payment: SandboxPayment, step: SandboxStep): string {
  return `evt_${payment.reference}_${step.number}`;
}
