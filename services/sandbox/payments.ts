import { randomBytes } from "node:crypto";
import type { Transaction } from "kysely";
import type { SandboxContext } from "./context.ts";
import type { SandboxDatabase } from "./db/schema.ts";
import { decide, type SandboxAction } from "./domain/decide.ts";
import { eventIdOf, type PaymentReport, type SandboxPayment, type SandboxStep } from "./domain/payment.ts";
import { callbacksFor, type ScheduledCallback, type ScriptTiming, scriptOf } from "./domain/payment-script.ts";
import { paymentStateAt } from "./domain/payment-state.ts";
import { behaviourOf, storedToken } from "./domain/tokens.ts";
import { encodePaymentEvent } from "./messages.ts";
import {
  databaseNow,
  findSandboxPayment,
  insertSandboxPayment,
  insertSteps,
  lockSandboxPayment,
  stepsOf,
} from "./store/payments.ts";
import { withdrawSteps } from "./store/withdraw-steps.ts";

type Trx = Transaction<SandboxDatabase>;

/** Receives the callbacks about payments. */
export const PAYMENT_CALLBACK_PATH = "/v1/webhooks/payments/sandbox";

/** The payment after a request; `refusal` is empty if the request was carried out. */
export interface PaymentOutcome {
  readonly report: PaymentReport;
  readonly refusal: string;
}

export type OpenRequest = Pick<
  SandboxPayment,
  "openKey" | "tenant" | "payment" | "currency" | "amount" | "token" | "captureAutomatically" | "expiresAt"
>;

/** Creates a payment and schedules its script. A repeated key returns the payment in its current state. */
export function openPayment(ctx: SandboxContext, request: OpenRequest): Promise<PaymentOutcome> {
  const { db, ids } = ctx;
  return db.transaction(async (trx) => {
    const nowMs = await databaseNow(trx, db.dialect);
    const asked: SandboxPayment = {
      ...request,
      token: storedToken(request.token),
      reference: `sbx_${ids.next()}`,
      clientSecret: newClientSecret(),
    };
    if (await insertSandboxPayment(trx, asked)) {
      const { steps, callbacks } = scriptOf(asked, timingAt(ctx, nowMs));
      await insertSteps(trx, asked.reference, steps);
      await schedule(ctx, trx, asked, steps, callbacks);
      return { report: paymentStateAt(asked, steps, nowMs, pageUrlAt(ctx)), refusal: "" };
    }
    const known = (await lockSandboxPayment(trx, db.dialect, "open_key", request.openKey)) ?? asked;
    const steps = await stepsOf(trx, known.reference);
    return { report: paymentStateAt(known, steps, nowMs, pageUrlAt(ctx)), refusal: "" };
  });
}

/**
 * Decides on a request and applies the decision; undefined if there is no such payment. A repeated request finds its
 * steps and does nothing.
 */
export function actOnPayment(
  ctx: SandboxContext,
  column: "reference" | "client_secret",
  value: string,
  action: SandboxAction,
): Promise<PaymentOutcome | undefined> {
  const { db, sender, ids } = ctx;
  return db.transaction(async (trx) => {
    const payment = await lockSandboxPayment(trx, db.dialect, column, value);
    if (payment === undefined) {
      return undefined;
    }
    const nowMs = await databaseNow(trx, db.dialect);
    const before = await stepsOf(trx, payment.reference);
    const report = (steps: readonly SandboxStep[]) => paymentStateAt(payment, steps, nowMs, pageUrlAt(ctx));
    if (action.key !== null && before.some((step) => step.requestKey === action.key)) {
      return { report: report(before), refusal: "" };
    }
    const timing = timingAt(ctx, nowMs);
    const decision = decide(payment, report(before), before, action, { ...timing, newId: ids.next });
    if ("refused" in decision) {
      return { report: report(before), refusal: decision.refused };
    }
    const kept = decision.stops ? await withdrawSteps(trx, sender, payment, before, nowMs) : before;
    await insertSteps(trx, payment.reference, decision.steps);
    const after = [...kept, ...decision.steps];
    const { sends = [0] } = behaviourOf(payment.token);
    await schedule(ctx, trx, payment, after, callbacksFor(decision.steps, { sends }, timing));
    return { report: report(after), refusal: "" };
  });
}

/** Returns a payment with its current state; undefined if there is none. */
export async function findPayment(
  ctx: SandboxContext,
  column: "reference" | "client_secret",
  value: string,
): Promise<{ payment: SandboxPayment; report: PaymentReport } | undefined> {
  const { kysely, dialect } = ctx.db;
  const payment = await findSandboxPayment(kysely, column, value);
  if (payment === undefined) {
    return undefined;
  }
  const nowMs = await databaseNow(kysely, dialect);
  return { payment, report: paymentStateAt(payment, await stepsOf(kysely, payment.reference), nowMs, pageUrlAt(ctx)) };
}

/** Schedules the callbacks of steps, each reporting the payment's state right after the step. */
function schedule(
  ctx: SandboxContext,
  trx: Trx,
  payment: SandboxPayment,
  steps: readonly SandboxStep[],
  callbacks: readonly ScheduledCallback[],
): Promise<void> {
  return ctx.sender.schedule(
    trx,
    callbacks.flatMap(({ step, delaysMs }) => {
      const messageId = eventIdOf(payment, step);
      const known = steps.filter((other) => other.number <= step.number);
      const report = paymentStateAt(payment, known, step.effectiveAt, pageUrlAt(ctx));
      const body = encodePaymentEvent(messageId, `payment.${step.kind}`, report);
      return delaysMs.map((delayMs) => ({ messageId, url: PAYMENT_CALLBACK_PATH, body, delayMs }));
    }),
  );
}

function timingAt({ timing }: SandboxContext, nowMs: number): ScriptTiming {
  return { nowMs, delayMs: timing.current.delayMs, lateMs: timing.current.lateMs };
}

function pageUrlAt({ publicUrl }: SandboxContext) {
  return (clientSecret: string) => new URL(`/v1/sandboxPayments/${clientSecret}`, publicUrl()).href;
}

/** 128 random bits: an id from `Ids` is guessable from another one, as two of the same millisecond differ by one. */
function newClientSecret(): string {
  return `sbx_secret_${randomBytes(16).toString("hex")}`;
}
