import type { Applied, CallbackToApply } from "../runtime/callbacks/callback-store.ts";
import type { Batch, Command } from "../runtime/commands/command.ts";
import type { PaymentContext } from "./context.ts";
import { mergeReport } from "./domain/merge-report.ts";
import { type Payment, paymentName } from "./domain/payment.ts";
import type { ProviderReport } from "./domain/provider-report.ts";
import { parsePaymentName } from "./messages.ts";
import { recordChange } from "./record-change.ts";
import { payments } from "./store/mappings.ts";
import type { PaymentAggregate } from "./store/payment-aggregate.ts";

/**
 * Merges the reports of a verified callback into their payments. Idempotent and order-independent: a report that adds
 * nothing to what is known changes nothing.
 */
export function applyCallback(
  ctx: PaymentContext,
  { id, source, content: reports }: CallbackToApply<readonly ProviderReport[]>,
): Command<Applied> {
  return {
    keys(need) {
      for (const report of reports) {
        const name = nameOf(report);
        if (name !== undefined) {
          need.by(payments, "name", name);
        }
        need.by(payments, "reference", [source, report.reference]);
      }
    },
    decide(batch) {
      let known: Payment | undefined;
      let changed = false;
      for (const report of reports) {
        const file = findReported(batch, source, report);
        if (file === undefined) {
          const problem = `no payment is known by ${report.payment?.name ?? report.reference}`;
          return { kind: "early", problem, reference: report.reference };
        }
        known = file.payment;
        const merged = mergeReport(known, file.refunds, report, ctx.clock.now().getTime());
        if (merged.kind === "early") {
          return { kind: "early", problem: merged.problem };
        }
        if (merged.kind === "mismatch") {
          recordChange(ctx, batch, file, merged.merged, `callback ${id}`);
          return { kind: "failed", problem: merged.problem, ...ownerOf(known) };
        }
        recordChange(ctx, batch, file, merged, `callback ${id}`);
        changed ||= merged.changed;
      }
      return { kind: "applied", changed, ...(known && ownerOf(known)) };
    },
  };
}

function ownerOf(payment: Payment) {
  return { tenant: payment.tenant, subject: paymentName(payment) };
}

/** Finds the payment of a report: by the name stored at the provider, else by the provider's own id. */
function findReported(batch: Batch, provider: string, report: ProviderReport): PaymentAggregate | undefined {
  const name = nameOf(report);
  const named = name && batch.find(payments, "name", name);
  return named?.payment.provider === provider ? named : batch.find(payments, "reference", [provider, report.reference]);
}

function nameOf({ payment }: ProviderReport): readonly string[] | undefined {
  const key = payment && parsePaymentName(payment.tenant, payment.name);
  return key && [key.tenant, key.orderId, key.paymentId];
}
