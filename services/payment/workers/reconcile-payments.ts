import { type Claimed, claimDue } from "../../runtime/jobs/claim-due.ts";
import { createWorkLoop, type WorkLoop } from "../../runtime/jobs/work-loop.ts";
import type { PaymentContext } from "../context.ts";
import { mergeReport } from "../domain/merge-report.ts";
import type { Payment } from "../domain/payment.ts";
import type { ProviderReport } from "../domain/provider-report.ts";
import { providerOf } from "../perform-operation.ts";
import { loadAggregate, nextLook, recordChange } from "../record-change.ts";
import { findPaymentByUid, lockPaymentByUid, postponeLook } from "../store/payments.ts";

/**
 * Reconciles payments for which no callback has arrived by polling the provider. Expiry is not decided here but by the
 * opener, with SettlePayment: there is one clock, and an order on hold can stop it.
 */
export function createPaymentReconciler(payments: PaymentContext, options: { pollMs: number }): WorkLoop {
  const { db, log, timing } = payments;
  return createWorkLoop<Claimed>({
    name: "payments without callbacks",
    log,
    pollMs: options.pollMs,
    concurrency: 8,
    claim: (limit) => claimDue(db, "payments", { limit, leaseMs: 2 * timing.providerTimeoutMs }),
    async work(claim) {
      const payment = await findPaymentByUid(db.kysely, claim.id);
      if (payment !== undefined) {
        await lookAfter(payments, claim, payment, await askProvider(payments, payment));
      }
    },
  });
}

/**
 * The provider's report of the payment; undefined if the provider does not know it, does not respond, or was not called
 * for it yet.
 */
async function askProvider(context: PaymentContext, payment: Payment): Promise<ProviderReport | undefined> {
  const { log, timing } = context;
  if (payment.reference === undefined) {
    return undefined;
  }
  try {
    const signal = AbortSignal.timeout(timing.providerTimeoutMs);
    return await providerOf(context, payment).fetch(payment.reference, signal);
  } catch (error) {
    log.warn({ err: error, payment: payment.uid }, "the state of a payment could not be fetched");
    return undefined;
  }
}

async function lookAfter(
  context: PaymentContext,
  claim: Claimed,
  { uid }: Payment,
  report: ProviderReport | undefined,
): Promise<void> {
  const { db, clock, log } = context;
  await db.transaction(async (trx) => {
    const payment = await lockPaymentByUid(trx, db.dialect, uid);
    if (payment === undefined) {
      return;
    }
    let file = await loadAggregate(trx, payment);
    if (report !== undefined) {
      const merged = mergeReport(payment, file.refunds, report, clock.now().getTime());
      if (merged.kind !== "merged") {
        log.error({ payment: uid, problem: merged.problem }, "the provider's report does not match the payment");
      }
      if (merged.kind !== "early") {
        const change = merged.kind === "merged" ? merged : merged.merged;
        file = await recordChange(context, trx, file, change, "poll");
      }
    }
    if (file.payment === payment) {
      await postponeLook(trx, db.dialect, claim, nextLook(context, file, claim.attempt + 1));
    }
  });
}
