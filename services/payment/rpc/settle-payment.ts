import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService, SettlePaymentRequest } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import type { Batch, Command } from "../../runtime/commands/command.ts";
import { principalOf } from "../../runtime/context-values.ts";
import { parseMoney } from "../../runtime/values/money.ts";
import type { PaymentContext } from "../context.ts";
import { type Payment, paymentState, refundable } from "../domain/payment.ts";
import { then } from "../domain/payment-change.ts";
import { expire, reconsiderRefused, settle } from "../domain/settlement.ts";
import { moneyLeft, refundFailed } from "../errors.ts";
import { paymentKeyOf, toPaymentMessage } from "../messages.ts";
import { performOperation } from "../perform-operation.ts";
import { recordChange } from "../record-change.ts";
import { payments } from "../store/mappings.ts";
import type { PaymentAggregate } from "../store/payment-aggregate.ts";
import type { PaymentKey } from "../store/payments.ts";
import { tombstone } from "./opening/new-payment.ts";

/** An opening, a void and a refund may follow one another. */
const MAX_OPERATIONS = 8;

/**
 * Settles a payment whatever its state. The decision is committed first: the workers complete anything unfinished when
 * this returns or fails, also for money that arrives later.
 */
export function settlePayment(ctx: PaymentContext): ServiceImpl<typeof PaymentService>["settlePayment"] {
  const { commands, timing } = ctx;
  const settling = { ...ctx, followUpDelayMs: 2 * timing.current.providerTimeoutMs };
  return async (request, call) => {
    const key = paymentKeyOf(principalOf(call).tenant, request.name);
    let file = await commands.execute(giveUp(settling, key, request), { signal: call.signal, tenant: key.tenant });
    for (let i = 0; i < MAX_OPERATIONS; i++) {
      const pending = file.operations.find(({ state }) => state === "PENDING");
      if (pending === undefined) {
        break;
      }
      file = await performOperation(settling, file, pending);
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

function giveUp(
  ctx: PaymentContext,
  key: PaymentKey,
  { reason, keepLateMoney, retryRefused, amount }: SettlePaymentRequest,
): Command<PaymentAggregate> {
  const name = [key.tenant, key.orderId, key.paymentId];
  return {
    keys: (need) => need.by(payments, "name", name),
    decide(batch) {
      const file = batch.find(payments, "name", name);
      if (file === undefined) {
        return leaveTombstone(ctx, batch, key, { reason, amount: amount && parseMoney(amount) });
      }
      const { payment, refunds } = file;
      if (!keepLateMoney || payment.authorized > 0n) {
        const settled = settle(payment, refunds, reason);
        const change = retryRefused ? then(settled, reconsiderRefused(settled.payment, settled.refunds)) : settled;
        return recordChange(ctx, batch, file, change, "settlement");
      }
      return isOpen(payment) ? recordChange(ctx, batch, file, expire(payment, refunds), "settlement") : file;
    },
  };
}

function leaveTombstone(
  ctx: PaymentContext,
  batch: Batch,
  key: PaymentKey,
  given: Parameters<typeof tombstone>[2],
): PaymentAggregate {
  const payment = tombstone(ctx, key, given);
  const file = { payment, refunds: [], operations: [], poll: { attempt: 0, dueAt: undefined } };
  batch.insert(payments, file);
  return recordChange(ctx, batch, file, settle(payment, [], given.reason), "settlement");
}

function isOpen(payment: Payment): boolean {
  const state = paymentState(payment);
  return state === "CREATED" || state === "REQUIRES_ACTION";
}
