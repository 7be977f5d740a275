import type { PaymentReport, RefundReport, SandboxPayment, SandboxStep } from "./payment.ts";

/** Computes the state of a sandbox payment at a time from the steps that are effective by then. */
export function paymentStateAt(
  payment: SandboxPayment,
  steps: readonly SandboxStep[],
  nowMs: number,
  redirectUrl: (clientSecret: string) => string,
): PaymentReport {
  const passed = steps.filter((step) => step.effectiveAt <= nowMs);
  const total = (kind: SandboxStep["kind"]) =>
    passed.filter((step) => step.kind === kind).reduce((sum, step) => sum + step.amount, 0n);
  const has = (kind: SandboxStep["kind"]) => passed.some((step) => step.kind === kind);
  const actionRequired = has("action_required");
  return {
    reference: payment.reference,
    payment: { tenant: payment.tenant, name: payment.payment },
    amount: { currency: payment.currency, minor: payment.amount },
    authorized: total("authorized"),
    captured: total("captured"),
    actionRequired,
    failed: has("failed"),
    voided: has("voided"),
    failureMessage: passed.find((step) => step.kind === "failed")?.message ?? "",
    ...(actionRequired && {
      clientSecret: payment.clientSecret,
      redirectUrl: redirectUrl(payment.clientSecret),
    }),
    refunds: refundsIn(passed),
  };
}

const REFUND_STATES: Partial<Record<SandboxStep["kind"], RefundReport["state"]>> = {
  refund_pending: "PENDING",
  refund_succeeded: "SUCCEEDED",
  refund_failed: "FAILED",
};

/** The last step of each refund determines its state. */
function refundsIn(steps: readonly SandboxStep[]): readonly RefundReport[] {
  const refunds = new Map<string, RefundReport>();
  for (const step of steps) {
    const state = REFUND_STATES[step.kind];
    if (state !== undefined) {
      const { refundReference: reference, refundId: id, message: failureMessage } = step;
      refunds.set(reference, { reference, id, minor: step.amount, state, failureMessage });
    }
  }
  return [...refunds.values()];
}
