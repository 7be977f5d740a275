import type { ServiceImpl } from "@connectrpc/connect";
import type { Transaction } from "kysely";
import type { PaymentService, SettlePaymentRequest } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { parseMoney } from "../../runtime/values/money.ts";
import type { PaymentContext } from "../context.ts";
import type { PaymentDatabase } from "../db/schema.ts";
import { expire, reconsiderRefused, settle, then } from "../domain/merge-report.ts";
import { type Payment, paymentState, refundable } from "../domain/payment.ts";
import { moneyLeft, refundFailed } from "../errors.ts";
import { paymentKeyOf, toPaymentMessage } from "../messages.ts";
import { performOperation } from "../perform-operation.ts";
import { loadAggregate, type PaymentAggregate, recordChange } from "../record-change.ts";
import { insertTombstone, lockPayment, type PaymentKey } from "../store/payments.ts";
import { tombstone } from "./opening/new-payment.ts";

/** An opening, a void and a refund may follow one another. */
const MAX_OPERATIONS = 8;

/**
 * Settles a payment whatever its state. The decision is committed first: the workers complete anything unfinished when
 * this returns or fails, also for money that arrives later.
 */
export function settlePayment(context: PaymentContext): ServiceImpl<typeof PaymentService>["settlePayment"] {
  const { db, timing } = context;
  const payments = { ...context, followUpDelayMs: 2 * timing.providerTimeoutMs };
  return async (request, call) => {
    const key = paymentKeyOf(principalOf(call).tenant, request.name);
    let file = await db.transaction((trx) => giveUp(payments, trx, key, request), { signal: call.signal });
    for (let i = 0; i < MAX_OPERATIONS; i++) {
      const pending = file.operations.find(({ state }) => state === "PENDING");
      if (pending === undefined) {
        break;
      }
      file = await performOperation(payments, file, pending);
    }
    const { payment, refunds } = file;
    const left = refundable(payment, refunds);
    if (payment.settling && left > 0n) {
      throw refundFailed(payment, left);
    }
    if (payment.settling && payment.mismatch !== "") {
      throw moneyLeft(payment);
    }
    return toPaymentMessage(payment, refunds);
  };
}

async function giveUp(
  context: PaymentContext,
  trx: Transaction<PaymentDatabase>,
  key: PaymentKey,
  { reason, keepLateMoney, retryRefused, amount }: SettlePaymentRequest,
): Promise<PaymentAggregate> {
  const { dialect } = context.db;
  const payment = await lockPayment(trx, dialect, key);
  if (payment === undefined) {
    return leaveTombstone(context, trx, key, { reason, amount: amount && parseMoney(amount) });
  }
  const file = await loadAggregate(trx, payment);
  const { refunds } = file;
  if (!keepLateMoney || payment.authorized > 0n) {
    const settled = settle(payment, refunds, reason);
    const change = retryRefused ? then(settled, reconsiderRefused(settled.payment, settled.refunds)) : settled;
    return recordChange(context, trx, file, change, "settlement");
  }
  return isOpen(payment) ? recordChange(context, trx, file, expire(payment, refunds), "settlement") : file;
}

async function leaveTombstone(
  context: PaymentContext,
  trx: Transaction<PaymentDatabase>,
  key: PaymentKey,
  given: Parameters<typeof tombstone>[2],
): Promise<PaymentAggregate> {
  await insertTombstone(trx, tombstone(context, key, given));
  const payment = await lockPayment(trx, context.db.dialect, key);
  if (payment === undefined) {
    throw new Error("a payment disappeared during a transaction");
  }
  const file = await loadAggregate(trx, payment);
  return recordChange(context, trx, file, settle(payment, file.refunds, given.reason), "settlement");
}

function isOpen(payment: Payment): boolean {
  const state = paymentState(payment);
  return state === "CREATED" || state === "REQUIRES_ACTION";
}
