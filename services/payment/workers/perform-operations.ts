import { type Claimed, claimDue, releaseClaims } from "../../runtime/jobs/claim-due.ts";
import { createWorkLoop, type WorkLoop } from "../../runtime/jobs/work-loop.ts";
import { causedBy, inSpan, type SpanOptions } from "../../runtime/telemetry/tracing.ts";
import type { PaymentContext } from "../context.ts";
import { type Payment, paymentName } from "../domain/payment.ts";
import { performOperation } from "../perform-operation.ts";
import { findOperation } from "../store/operations.ts";
import type { StoredOperation } from "../store/payment-aggregate.ts";
import { findPaymentByUid } from "../store/payments.ts";
import { refundsOf } from "../store/refunds.ts";

/** Executes due operations: follow-ups, and operations that a crashed or failed process left behind. */
export function createOperationWorker(ctx: PaymentContext, options: { pollMs: number }): WorkLoop {
  const { db, log, timing } = ctx;
  return createWorkLoop<Claimed>({
    name: "payment operations",
    log,
    pollMs: options.pollMs,
    concurrency: 8,
    claim: (limit) => claimDue(db, "payment_operations", { limit, leaseMs: 2 * timing.current.providerTimeoutMs }),
    release: (claims) => releaseClaims(db, "payment_operations", claims),
    async work({ id }) {
      const operation = await findOperation(db.kysely, id);
      const payment = operation && (await findPaymentByUid(db.kysely, operation.paymentUid));
      if (operation?.state === "PENDING" && payment) {
        const refunds = (await refundsOf(db.kysely, payment.tenant, [payment.uid])).get(payment.uid) ?? [];
        // performOperation logs the failure and makes the operation due again.
        const perform = () => performOperation(ctx, { payment, refunds }, operation);
        await inSpan("payment operation", spanOf(ctx, payment, operation), perform).catch(() => {});
      }
    },
  });
}

/** In the trace of the call that planned the operation. */
function spanOf({ clock }: PaymentContext, payment: Payment, operation: StoredOperation): SpanOptions {
  const { tenant, provider } = payment;
  const { traceparent, createdAt } = operation;
  const attributes = { "docket.tenant": tenant, "docket.payment": paymentName(payment), "docket.provider": provider };
  return {
    attributes,
    ...causedBy(traceparent === undefined ? {} : { traceparent }, clock.now().getTime() - createdAt),
  };
}
