import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/page-token.ts";
import { parseName } from "../../runtime/resource-name.ts";
import type { PaymentContext } from "../context.ts";
import { toPaymentMessage } from "../messages.ts";
import { selectPayments } from "../store/payment-lists.ts";
import { refundsOf } from "../store/refunds.ts";

/** The newest payments first. */
export function listPayments({ db }: PaymentContext): ServiceImpl<typeof PaymentService>["listPayments"] {
  return async ({ parent, filter, pageSize, pageToken }, context) => {
    const { tenant } = principalOf(context);
    const query = ["ListPayments", tenant, parent, filter];
    const [before] = decodePageToken(pageToken, query, ["text"]) ?? [];
    const order = parseName("orders/{order}", parent)?.order;
    const limit = pageSizeOf(pageSize);
    const found = await selectPayments(db, {
      tenant,
      orderId: order === "-" ? undefined : order,
      filter,
      before,
      limit: limit + 1,
    });
    const { rows, nextPageToken } = pageOf(found, limit, query, ({ uid }) => [uid]);
    const refunds = await refundsOf(
      db.kysely,
      tenant,
      rows.filter((payment) => payment.captured > 0n).map((payment) => payment.uid),
    );
    return {
      payments: rows.map((payment) => toPaymentMessage(payment, refunds.get(payment.uid) ?? [])),
      nextPageToken,
    };
  };
}
