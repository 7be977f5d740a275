import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { paymentNotFound } from "../errors.ts";
import { paymentKeyOf, toPaymentMessage } from "../messages.ts";
import { findPayment } from "../store/payments.ts";
import { refundsOf } from "../store/refunds.ts";

export function getPayment({ db }: PaymentContext): ServiceImpl<typeof PaymentService>["getPayment"] {
  return async ({ name }, call) => {
    const { tenant } = principalOf(call);
    const payment = await findPayment(db.kysely, paymentKeyOf(tenant, name));
    if (payment === undefined) {
      throw paymentNotFound(name);
    }
    const refunds = await refundsOf(db.kysely, tenant, [payment.uid]);
    return toPaymentMessage(payment, refunds.get(payment.uid) ?? []);
  };
}
