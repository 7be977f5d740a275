import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { parseName } from "../../runtime/api/resource-name.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { toPaymentMessage } from "../messages.ts";
import { paymentList, selectPayments } from "../store/payment-lists.ts";

/** Lists the newest payments first. */
export function listPayments({ db }: PaymentContext): ServiceImpl<typeof PaymentService>["listPayments"] {
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const { parent } = request;
    const order = parseName("orders/{order}", parent)?.order;
    const orderId = order === "-" ? undefined : order;
    const { rows, nextPageToken } = await readList(paymentList, {
      db,
      call,
      request,
      scope: [tenant, parent],
      read: (reads, page) => selectPayments(reads, { tenant, orderId }, page),
    });
    return { payments: rows.map(({ payment, refunds }) => toPaymentMessage(payment, refunds)), nextPageToken };
  };
}
