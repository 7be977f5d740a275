import type { Transaction } from "kysely";
import type { Applied, CallbackToApply } from "../runtime/callbacks/callback-inbox.ts";
import type { PaymentContext } from "./context.ts";
import type { PaymentDatabase } from "./db/schema.ts";
import { mergeReport } from "./domain/merge-report.ts";
import { type Payment, paymentName } from "./domain/payment.ts";
import type { ProviderReport } from "./domain/provider-report.ts";
import { parsePaymentName } from "./messages.ts";
import { loadAggregateForReport, recordChange } from "./record-change.ts";
import { lockPayment, lockPaymentByReference } from "./store/payments.ts";

/**
 * Merges the reports of a verified callback into their payments. Idempotent and order-independent: a report that adds
 * nothing to what is known changes nothing.
 */
export async function applyCallback(
  context: PaymentContext,
  trx: Transaction<PaymentDatabase>,
  callback: CallbackToApply<readonly ProviderReport[]>,
): Promise<Applied> {
  let known: Payment | undefined;
  let changed = false;
  for (const report of callback.content) {
    const payment = await lockReported(context, trx, callback.source, report);
    if (payment === undefined) {
      const problem = `no payment is known by ${report.payment?.name ?? report.reference}`;
      return { kind: "early", problem, reference: report.reference };
    }
    known = payment;
    const file = await loadAggregateForReport(trx, payment);
    const merged = mergeReport(payment, file.refunds, report, context.clock.now().getTime());
    if (merged.kind === "early") {
      return { kind: "early", problem: merged.problem };
    }
    if (merged.kind === "mismatch") {
      await recordChange(context, trx, file, merged.merged, `callback ${callback.id}`);
      return { kind: "failed", problem: merged.problem, ...ownerOf(payment) };
    }
    await recordChange(context, trx, file, merged, `callback ${callback.id}`);
    changed ||= merged.changed;
  }
  return { kind: "applied", changed, ...(known && ownerOf(known)) };
}

function ownerOf(payment: Payment) {
  return { tenant: payment.tenant, subject: paymentName(payment) };
}

/** Finds the payment of a report: by the name stored at the provider, else by the provider's own id. */
async function lockReported(
  { db }: PaymentContext,
  trx: Transaction<PaymentDatabase>,
  provider: string,
  report: ProviderReport,
): Promise<Payment | undefined> {
  const key = report.payment && parsePaymentName(report.payment.tenant, report.payment.name);
  const payment = key && (await lockPayment(trx, db.dialect, key));
  if (payment !== undefined && payment.provider === provider) {
    return payment;
  }
  return lockPaymentByReference(trx, db.dialect, provider, report.reference);
}
