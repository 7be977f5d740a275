import type { SandboxPayment, SandboxStep } from "./payment.ts";
import { type Behaviour, behaviourOf } from "./tokens.ts";

/** The schedule of a step's callback: the delay from now of each sending. */
export interface ScheduledCallback {
  readonly step: SandboxStep;
  readonly delaysMs: readonly number[];
}

export interface ScriptTiming {
  readonly nowMs: number;
  /** The unit of the delays. */
  readonly delayMs: number;
  /** Time after expiry at which a late payment is paid. */
  readonly lateMs: number;
}

/** Schedules the steps of a payment that was opened now. */
export function scriptOf(
  payment: SandboxPayment,
  timing: ScriptTiming,
): { steps: readonly SandboxStep[]; callbacks: readonly ScheduledCallback[] } {
  const behaviour = behaviourOf(payment.token);
  const wanted = behaviour.steps.filter((step) => step.kind !== "captured" || payment.captureAutomatically);
  const steps = wanted.map(
    ({ kind, delay = 0, late = false, half = false, message = "" }, number): SandboxStep => ({
      ...blankStep,
      number,
      kind,
      effectiveAt: late ? payment.expiresAt + timing.lateMs : timing.nowMs + delay * timing.delayMs,
      amount: half ? halfOf(payment.amount) : payment.amount,
      message,
    }),
  );
  return { steps, callbacks: callbacksFor(steps, behaviour, timing) };
}

/** Steps that the response to the request reports already. */
const QUIET: ReadonlySet<SandboxStep["kind"]> = new Set(["action_required", "refund_pending"]);

/** Schedules the callbacks of steps. Of simultaneous steps only the last is sent, as its totals include the others. */
export function callbacksFor(
  steps: readonly SandboxStep[],
  behaviour: Pick<Behaviour, "sends" | "backwards">,
  timing: ScriptTiming,
): readonly ScheduledCallback[] {
  const announced = steps.filter((step, i) => !QUIET.has(step.kind) && steps[i + 1]?.effectiveAt !== step.effectiveAt);
  const last = Math.max(...announced.map((step) => step.effectiveAt));
  return announced.map((step) => {
    const at = behaviour.backwards ? 2 * last - step.effectiveAt : step.effectiveAt;
    const sends = behaviour.sends ?? [0];
    return { step, delaysMs: sends.map((more) => Math.max(0, at - timing.nowMs) + more * timing.delayMs) };
  });
}

/** An empty step. */
export const blankStep = {
  amount: 0n,
  refundId: "",
  refundReference: "",
  message: "",
  requestKey: null,
} as const satisfies Partial<SandboxStep>;

/** Half of a sum, rounded up. */
export function halfOf(minor: bigint): bigint {
  return (minor + 1n) / 2n;
}
