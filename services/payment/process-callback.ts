import type { Transaction } from "kysely";
import type { PaymentContext } from "./context.ts";
import type { PaymentDatabase } from "./db/schema.ts";
import { mergeReport } from "./domain/merge-report.ts";
import { type Payment, paymentName } from "./domain/payment.ts";
import type { ProviderReport } from "./domain/provider-report.ts";
import { parsePaymentName } from "./messages.ts";
import { loadFileForReport, recordChange } from "./record-change.ts";
import { finishCallback, type StoredCallback } from "./store/callbacks.ts";
import { lockPayment, lockPaymentByReference } from "./store/payments.ts";

/** How it went with a callback. */
export type Processed =
  | "finished"
  /** It makes no sense yet: of an unknown payment, or ahead of what comes before it. Nothing was written. */
  | { readonly early: string };

/**
 * Does what a stored callback says, in the caller's transaction, which has locked the callback. A callback that was
 * processed before has no second effect, as its reports add nothing to what is known.
 */
export async function processCallback(
  context: PaymentContext,
  trx: Transaction<PaymentDatabase>,
  callback: StoredCallback,
): Promise<Processed> {
  const { db, providers } = context;
  const finish = async (state: "PROCESSED" | "IGNORED" | "FAILED", payment?: Payment, failureMessage = "") => {
    const tenant = payment?.tenant ?? callback.tenant;
    const name = payment ? paymentName(payment) : callback.payment;
    // What was processed stays so when a replay finds nothing left to do.
    const kept = state === "IGNORED" && callback.state === "PROCESSED" ? "PROCESSED" : state;
    await finishCallback(trx, db.dialect, callback.id, { state: kept, tenant, payment: name, failureMessage });
    return "finished" as const;
  };

  let reports: readonly ProviderReport[];
  try {
    const provider = providers.get(callback.provider);
    if (provider === undefined) {
      return await finish("FAILED", undefined, `the provider ${callback.provider} is not configured`);
    }
    reports = provider.read(callback.body);
  } catch (error) {
    return finish("FAILED", undefined, `it cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  let known: Payment | undefined;
  let changed = false;
  for (const report of reports) {
    const payment = await lockReported(context, trx, callback.provider, report);
    if (payment === undefined) {
      return { early: `no payment is known by ${report.payment?.name ?? report.reference}` };
    }
    known = payment;
    const file = await loadFileForReport(trx, payment);
    const merged = mergeReport(payment, file.refunds, report, context.clock.now().getTime());
    if (merged.kind === "early") {
      return { early: merged.problem };
    }
    if (merged.kind === "mismatch") {
      return finish("FAILED", payment, merged.problem);
    }
    await recordChange(context, trx, file, merged, `callback ${callback.id}`);
    changed ||= merged.changed;
  }
  return finish(changed ? "PROCESSED" : "IGNORED", known);
}

/** The payment that a report is about: by the name that the provider keeps with it, else by the provider's own id. */
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
