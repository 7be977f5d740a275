import type { Command } from "../../runtime/commands/command.ts";
import { type Claimed, claimDue, releaseClaims } from "../../runtime/jobs/claim-due.ts";
import { createWorkLoop, type WorkLoop } from "../../runtime/jobs/work-loop.ts";
import type { PaymentContext } from "../context.ts";
import { mergeReport } from "../domain/merge-report.ts";
import type { Payment } from "../domain/payment.ts";
import type { ProviderReport } from "../domain/provider-report.ts";
import { unknownPaymentReport } from "../domain/unknown-payment.ts";
import { providerOf } from "../perform-operation.ts";
import { nextPollAt, recordChange } from "../record-change.ts";
import { payments } from "../store/mappings.ts";
import { findPaymentByUid } from "../store/payments.ts";

/**
 * Reconciles payments for which no callback has arrived by polling the provider. Expiry is not decided here but by the
 * opener, with SettlePayment: there is one clock, and an order on hold can stop it.
 */
export function createPaymentReconciler(ctx: PaymentContext, options: { pollMs: number }): WorkLoop {
  const { db, commands, log, timing } = ctx;
  return createWorkLoop<Claimed>({
    name: "payments without callbacks",
    log,
    pollMs: options.pollMs,
    concurrency: 8,
    claim: (limit) => claimDue(db, "payments", { limit, leaseMs: 2 * timing.current.providerTimeoutMs }),
    release: (claims) => releaseClaims(db, "payments", claims),
    async work(claim) {
      const payment = await findPaymentByUid(db.kysely, claim.id);
      if (payment !== undefined) {
        const report = await askProvider(ctx, payment);
        await commands.execute(reconcile(ctx, claim, payment, report), { tenant: payment.tenant });
      }
    },
  });
}

/** The provider's report of the payment; undefined if the provider does not respond or was not called for it yet. */
async function askProvider(ctx: PaymentContext, payment: Payment): Promise<ProviderReport | "unknown" | undefined> {
  const { log, timing } = ctx;
  if (payment.reference === undefined) {
    return undefined;
  }
  try {
    const signal = AbortSignal.timeout(timing.current.providerTimeoutMs);
    return (await providerOf(ctx, payment).fetch(payment.reference, signal)) ?? "unknown";
  } catch (error) {
    log.warn({ err: error, payment: payment.uid }, "the state of a payment could not be fetched");
    return undefined;
  }
}

/** Merges what the provider reports, and schedules the next poll if that changes nothing. */
function reconcile(
  ctx: PaymentContext,
  claim: Claimed,
  { tenant, uid }: Payment,
  answer: ProviderReport | "unknown" | undefined,
): Command<void> {
  const { clock, log } = ctx;
  return {
    keys: (need) => need.one(payments, [tenant, uid]),
    decide(batch) {
      const stored = batch.get(payments, [tenant, uid]);
      if (stored === undefined) {
        return;
      }
      let file = stored;
      if (answer === "unknown") {
        log.error({ payment: uid }, "the provider does not know the payment");
      }
      const report = answer === "unknown" ? unknownPaymentReport(file.payment, file.refunds) : answer;
      if (report !== undefined) {
        const merged = mergeReport(file.payment, file.refunds, report, clock.now().getTime());
        if (merged.kind !== "merged") {
          log.error({ payment: uid, problem: merged.problem }, "the provider's report does not match the payment");
        }
        if (merged.kind !== "early") {
          const change = merged.kind === "merged" ? merged : merged.merged;
          file = recordChange(ctx, batch, file, change, "poll");
        }
      }
      const { attempt } = file.poll;
      if (file.payment === stored.payment && attempt === claim.attempt) {
        const dueAt = nextPollAt(ctx, batch, file, attempt + 1);
        batch.update(payments, { ...file, poll: { attempt, dueAt } });
      }
    },
  };
}
