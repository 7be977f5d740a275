import type { ServiceImpl } from "@connectrpc/connect";
import { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { auditTrail } from "../../runtime/audit/audit.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { paymentState, planRefund, refundable } from "../domain/payment.ts";
import { withRefunds } from "../domain/payment-change.ts";
import { allowedActions } from "../domain/payment-state.ts";
import { illegalState, tooMuch } from "../errors.ts";
import { recordChange } from "../record-change.ts";
import { executeOperation } from "./operations/execute-operation.ts";
import { parseAmount } from "./operations/parse-amount.ts";
import { startOperation } from "./operations/start-operation.ts";

/** Refunds captured money. The amounts of other pending refunds count as refunded. */
export function refundPayment(ctx: PaymentContext): ServiceImpl<typeof PaymentService>["refundPayment"] {
  return (request, call) => {
    const { tenant } = principalOf(call);
    const { refundPayment: method } = PaymentService.method;
    return executeOperation(ctx, { tenant, method, kind: "REFUND", request, call }, (batch, file, caller) => {
      const { payment, refunds } = file;
      if (!allowedActions(paymentState(payment)).includes("refund")) {
        throw illegalState(payment, "refund");
      }
      const available = refundable(payment, refunds);
      const amount = parseAmount(request.amount, payment) ?? available;
      if (amount > available || amount === 0n) {
        throw tooMuch("REFUND_EXCEEDS_CAPTURED", payment, { wanted: amount, available });
      }
      const { reason } = request;
      const createdAt = ctx.clock.now().getTime();
      const refund = planRefund(refunds, { amount, reason, settlement: false, createdAt });
      const details = { amount: String(amount), currency: payment.currency, refund: refund.id };
      const act = { resource: request.name, details, aggregate: `orders/${payment.orderId}` };
      for (const event of auditTrail(call, act)) {
        batch.publish(event);
      }
      const next = recordChange(ctx, batch, file, withRefunds(payment, refunds, [refund]), "refund");
      return startOperation(ctx, batch, next, { kind: "REFUND", amount, refundId: refund.id }, caller);
    });
  };
}
