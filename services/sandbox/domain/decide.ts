import { amountText } from "../../runtime/values/amount-text.ts";
import type { PaymentReport, SandboxPayment, SandboxStep } from "./payment.ts";
import { blankStep, halfOf, type ScriptTiming } from "./payment-script.ts";
import { behaviourOf } from "./tokens.ts";

/** A request for a sandbox payment: by Docket under a key, or by its shopper. */
export type SandboxAction =
  | { readonly kind: "capture"; readonly key: string; readonly amount: bigint }
  | { readonly kind: "void"; readonly key: string }
  | { readonly kind: "refund"; readonly key: string; readonly amount: bigint; readonly refundId: string }
  | { readonly kind: "pay" | "decline"; readonly key: null };

export type Decision =
  /** `stops`: cancels the scheduled steps. */
  { readonly steps: readonly SandboxStep[]; readonly stops: boolean } | { readonly refused: string };

/** Decides the sandbox's response to a request. Like a real provider, it considers only its own copy of the payment. */
export function decide(
  payment: SandboxPayment,
  standing: PaymentReport,
  before: readonly SandboxStep[],
  action: SandboxAction,
  { nowMs, delayMs, newId }: ScriptTiming & { newId: () => string },
): Decision {
  const behaviour = behaviourOf(payment.token);
  const nextNumber = Math.max(-1, ...before.map((step) => step.number)) + 1;
  const step = (more: Partial<SandboxStep> & Pick<SandboxStep, "kind">, nth = 0): SandboxStep => ({
    ...blankStep,
    number: nextNumber + nth,
    effectiveAt: nowMs,
    requestKey: action.key,
    ...more,
  });
  const left = standing.voided ? 0n : standing.authorized - standing.captured;

  switch (action.kind) {
    case "capture": {
      if (action.amount > left) {
        return { refused: `only ${amountText(payment.currency, left)} can be captured` };
      }
      const amount = behaviour.capturesHalf ? halfOf(action.amount) : action.amount;
      return { steps: [step({ kind: "captured", amount })], stops: false };
    }
    case "void": {
      if (standing.voided) {
        return { steps: [], stops: false };
      }
      if (standing.authorized > 0n && left === 0n) {
        return { refused: "the payment is captured; refund it" };
      }
      if (behaviour.unstoppable && standing.authorized === 0n) {
        return { refused: "the payment is being processed and cannot be stopped" };
      }
      return { steps: [step({ kind: "voided" })], stops: true };
    }
    case "refund": {
      const refunded = standing.refunds.filter((refund) => refund.state !== "FAILED");
      const refundable = refunded.reduce((sum, refund) => sum - refund.minor, standing.captured);
      if (action.amount > refundable) {
        return { refused: `only ${amountText(payment.currency, refundable)} can be refunded` };
      }
      const refund = { amount: action.amount, refundId: action.refundId, refundReference: `sbxr_${newId()}` };
      const outcome = behaviour.refundsFail
        ? ({ kind: "refund_failed", message: "the account is closed" } as const)
        : ({ kind: "refund_succeeded" } as const);
      const later = step({ ...refund, ...outcome, effectiveAt: nowMs + delayMs }, 1);
      return { steps: [step({ ...refund, kind: "refund_pending" }), later], stops: false };
    }
    case "pay":
    case "decline": {
      if (!standing.actionRequired || standing.authorized > 0n || standing.failed || standing.voided) {
        return { steps: [], stops: false };
      }
      if (action.kind === "decline") {
        return { steps: [step({ kind: "failed", message: "the shopper declined" })], stops: false };
      }
      const { amount } = payment;
      const captured = payment.captureAutomatically ? [step({ kind: "captured", amount }, 1)] : [];
      return { steps: [step({ kind: "authorized", amount }), ...captured], stops: false };
    }
    default:
      return action satisfies never;
  }
}
