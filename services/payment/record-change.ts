import type { Transaction } from "kysely";
import { afterCommit } from "../runtime/db/after-commit.ts";
import { fullJitterMs } from "../runtime/values/backoff.ts";
import type { PaymentContext } from "./context.ts";
import type { PaymentDatabase } from "./db/schema.ts";
import { followUps, isGivenUp } from "./domain/follow-ups.ts";
import { type Merged, then, withRefunds } from "./domain/merge-report.ts";
import { type Operation, planOperation } from "./domain/operation.ts";
import { type Payment, paymentState, planRefund, type Refund } from "./domain/payment.ts";
import { paymentEvent } from "./events.ts";
import { insertMovements } from "./store/movements.ts";
import { insertOperation, operationsOf } from "./store/operations.ts";
import { type NextPoll, updatePayment } from "./store/payments.ts";
import { refundsOf, saveRefunds } from "./store/refunds.ts";

type Trx = Transaction<PaymentDatabase>;

/** A locked payment with its refunds and operations. */
export interface PaymentAggregate {
  readonly payment: Payment;
  readonly refunds: readonly Refund[];
  readonly operations: readonly Operation[];
}

/** Loads the aggregate of a payment that this transaction has locked. */
export async function loadAggregate(trx: Trx, payment: Payment): Promise<PaymentAggregate> {
  const refunds = payment.captured === 0n ? [] : (await refundsOf(trx, payment.tenant, [payment.uid])).get(payment.uid);
  return { payment, refunds: refunds ?? [], operations: await operationsOf(trx, payment.tenant, payment.uid) };
}

/** Loads the aggregate as far as a report needs it: the operations only if follow-ups are possible. */
export async function loadAggregateForReport(trx: Trx, payment: Payment): Promise<PaymentAggregate> {
  if (isGivenUp(payment) || payment.captured > 0n) {
    return loadAggregate(trx, payment);
  }
  return { payment, refunds: [], operations: [] };
}

/**
 * Writes a change of a locked payment: its row, its refunds, the ledger, the events, and the follow-up operations that
 * no caller requested. `cause` is the source recorded in the ledger.
 */
export async function recordChange(
  context: PaymentContext,
  trx: Trx,
  file: PaymentAggregate,
  merged: Merged,
  cause: string,
): Promise<PaymentAggregate> {
  const { db, ids, outbox } = context;
  const nowMs = context.clock.now().getTime();
  const { change, planned } = planFollowUps(context, file.operations, merged, nowMs);
  const operations = [...file.operations, ...planned];
  if (!change.changed) {
    return { ...file, operations: await insertPlanned(context, trx, operations, planned, nowMs) };
  }
  const payment = { ...change.payment, version: file.payment.version + 1, updatedAt: nowMs };
  const next: PaymentAggregate = { payment, refunds: change.refunds, operations };
  const touched = next.refunds.filter((refund) => !file.refunds.includes(refund));
  await updatePayment(trx, db.dialect, payment, nextLook(context, next, 1));
  await saveRefunds(trx, db.dialect, payment, touched);
  await insertMovements(trx, ids, payment, change.movements, cause);
  if (change.changes.length > 0) {
    await outbox.publish(
      trx,
      change.changes.map((published) => paymentEvent(published, payment, next.refunds)),
    );
  }
  await insertPlanned(context, trx, operations, planned, nowMs);
  return next;
}

/** Time of the next poll for a payment without callbacks: as long as the provider owes a result. */
export function nextLook({ timing, random }: PaymentContext, file: PaymentAggregate, nth: number): NextPoll {
  const { payment, refunds } = file;
  const state = paymentState(payment);
  const isOwed =
    state === "CREATED" ||
    state === "REQUIRES_ACTION" ||
    (state === "AUTHORIZED" && (payment.captureAutomatically || payment.settling)) ||
    (state === "EXPIRED" && !payment.voided) ||
    refunds.some((refund) => refund.state === "PENDING");
  const { initialMs, maxMs } = timing.poll;
  const pollMs = initialMs / 2 + fullJitterMs(nth, { initialMs, maxMs }, random);
  return isOwed ? pollMs : undefined;
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

async function insertPlanned(
  { db, nudgeOperations, followUpDelayMs }: PaymentContext,
  trx: Trx,
  all: readonly Operation[],
  planned: readonly Operation[],
  createdAt: number,
): Promise<readonly Operation[]> {
  for (const operation of planned) {
    await insertOperation(trx, db.dialect, operation, { delayMs: followUpDelayMs, createdAt });
  }
  if (planned.length > 0 && followUpDelayMs === 0) {
    afterCommit(trx, nudgeOperations);
  }
  return all;
}
