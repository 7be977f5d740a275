import type { Transaction } from "kysely";
import type { WebhookSender } from "../../runtime/webhooks/webhook-sender.ts";
import type { SandboxDatabase } from "../db/schema.ts";
import { eventIdOf, type SandboxPayment, type SandboxStep } from "../domain/payment.ts";
import { deleteSteps } from "./payments.ts";

/** Cancels the future payment steps, with their callbacks. Returns the remaining steps. */
export async function withdrawSteps(
  trx: Transaction<SandboxDatabase>,
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
