import type { Batch } from "../runtime/commands/command.ts";
import { fullJitterMs } from "../runtime/values/backoff.ts";
import type { PaymentContext } from "./context.ts";
import { followUps } from "./domain/follow-ups.ts";
import { type Operation, planOperation } from "./domain/operation.ts";
import { paymentState, planRefund } from "./domain/payment.ts";
import { type Merged, then, withRefunds } from "./domain/payment-change.ts";
import { paymentEvent } from "./events.ts";
import { movements, payments } from "./store/mappings.ts";
import { scheduled } from "./store/operations.ts";
import type { PaymentAggregate } from "./store/payment-aggregate.ts";

/**
 * Writes a change of a payment that the command has loaded: the payment, its refunds, the ledger, the events, and the
 * follow-up operations that no caller requested. `cause` is the source recorded in the ledger. Returns the payment after
 * the change.
 */
export function recordChange(
  ctx: PaymentContext,
  batch: Batch,
  file: PaymentAggregate,
  merged: Merged,
  cause: string,
): PaymentAggregate {
  const { ids, followUpDelayMs, nudgeOperations } = ctx;
  const createdAt = ctx.clock.now().getTime();
  const { change, planned } = planFollowUps(ctx, file.operations, merged, createdAt);
  const dueAt = batch.nowMs + followUpDelayMs;
  const operations = [...file.operations, ...planned.map((it) => scheduled(it, { createdAt, dueAt }))];
  if (planned.length > 0 && followUpDelayMs === 0) {
    batch.afterCommit(nudgeOperations);
  }
  if (!change.changed) {
    return updated(batch, { ...file, operations });
  }
  const payment = { ...change.payment, version: file.payment.version + 1, updatedAt: createdAt };
  const next = { payment, refunds: change.refunds, operations };
  const { tenant, uid: paymentUid, currency } = payment;
  for (const { kind, amount } of change.movements) {
    batch.insert(movements, { id: ids.next(), tenant, paymentUid, kind, amount, currency, cause, createdAt });
  }
  for (const published of change.changes) {
    batch.publish(paymentEvent(published, payment, next.refunds));
  }
  return updated(batch, { ...next, poll: { attempt: 0, dueAt: nextPollAt(ctx, batch, next, 1) } });
}

function updated(batch: Batch, file: PaymentAggregate): PaymentAggregate {
  batch.update(payments, file);
  return file;
}

/**
 * Time of the nth poll for a payment without callbacks, by the database's clock. Undefined unless the provider owes a
 * result.
 */
export function nextPollAt(
  { timing, random }: PaymentContext,
  { nowMs }: Pick<Batch, "nowMs">,
  { payment, refunds }: Pick<PaymentAggregate, "payment" | "refunds">,
  nth: number,
): number | undefined {
  const state = paymentState(payment);
  const isOwed =
    state === "CREATED" ||
    state === "REQUIRES_ACTION" ||
    (state === "AUTHORIZED" && (payment.captureAutomatically || payment.settling)) ||
    (state === "EXPIRED" && !payment.voided) ||
    refunds.some((refund) => refund.state === "PENDING");
  const { initialMs, maxMs } = timing.current.poll;
  const pollMs = initialMs / 2 + fullJitterMs(nth, { initialMs, maxMs }, random);
  return isOwed ? nowMs + Math.ceil(pollMs) : undefined;
}

/** Plans the follow-up operations of a change; returns them and the change with their refunds. */
function planFollowUps(
  { ids }: PaymentContext,
  operations: readonly Operation[],
  merged: Merged,
  nowMs: number,
): { change: Merged; planned: readonly Operation[] } {
  const planned: Operation[] = [];
  let change = merged;
  for (const { kind, amount } of followUps(merged.payment, merged.refunds, operations)) {
    const { payment, refunds } = change;
    const plan = { id: ids.next(), kind, amount };
    if (kind === "VOID") {
      planned.push(planOperation(payment, operations, plan));
    } else {
      const asked = { amount, reason: payment.settleReason, settlement: true, createdAt: nowMs };
      const refund = planRefund(refunds, asked);
      planned.push(planOperation(payment, operations, { ...plan, refundId: refund.id }));
      change = then(change, withRefunds(payment, refunds, [refund]));
    }
  }
  return { change, planned };
}
