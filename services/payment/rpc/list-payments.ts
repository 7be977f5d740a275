import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { decodePageToken, pageSizeOf } from "../../runtime/api/page-token.ts";
import { readPage } from "../../runtime/api/read-page.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import { parseName } from "../../runtime/api/resource-name.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { toPaymentMessage } from "../messages.ts";
import { selectPayments } from "../store/payment-lists.ts";
import { refundsOf } from "../store/refunds.ts";

/** Lists the newest payments first. */
export function listPayments({ db }: PaymentContext): ServiceImpl<typeof PaymentService>["listPayments"] {
  return async ({ parent, filter, pageSize, pageToken }, call) => {
    const { tenant } = principalOf(call);
    const query = ["ListPayments", tenant, parent, filter];
    const order = parseName("orders/{order}", parent)?.order;
    const orderId = order === "-" ? undefined : order;
    const kysely = readsFor(db, call);
    const read = async (before: string | undefined, limit: number) => {
      const found = await selectPayments({ kysely, dialect: db.dialect }, { tenant, orderId, filter, before, limit });
      const captured = found.filter((payment) => payment.captured > 0n).map((payment) => payment.uid);
      const refunds = await refundsOf(kysely, tenant, captured);
      return found.map((payment) => ({ payment, refunds: refunds.get(payment.uid) ?? [] }));
    };
    const { rows, nextPageToken } = await readPage<Awaited<ReturnType<typeof read>>[number], readonly [string]>({
      size: pageSizeOf(pageSize),
      query,
      after: decodePageToken(pageToken, query, ["text"]),
      keysOf: ({ payment }) => [payment.uid],
      bytesOf: ({ payment, refunds }) => 800 + payment.failureMessage.length + 400 * refunds.length,
      read: (after, limit) => read(after?.[0], limit),
    });
    return {
      payments: rows.map(({ payment, refunds }) => toPaymentMessage(payment, refunds)),
      nextPageToken,
    };
  };
}
