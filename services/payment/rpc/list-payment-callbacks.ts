import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { decodePageToken, pageOf, pageSizeOf } from "../../runtime/page-token.ts";
import type { PaymentContext } from "../context.ts";
import { selectCallbacks } from "../store/payment-lists.ts";
import { toCallbackMessage } from "./callback-message.ts";
import { mayReadUnmatched } from "./callback-visibility.ts";

/** The newest callbacks first; with `platform.admin`, those that no payment is known for too. */
export function listPaymentCallbacks({
  db,
}: PaymentContext): ServiceImpl<typeof PaymentService>["listPaymentCallbacks"] {
  return async ({ filter, pageSize, pageToken }, context) => {
    const principal = principalOf(context);
    const { tenant } = principal;
    const unmatched = mayReadUnmatched(principal);
    const query = ["ListPaymentCallbacks", tenant, filter];
    const [before] = decodePageToken(pageToken, query, ["text"]) ?? [];
    const limit = pageSizeOf(pageSize);
    const found = await selectCallbacks(db, { tenant, unmatched, filter, before, limit: limit + 1 });
    const { rows, nextPageToken } = pageOf(found, limit, query, ({ id }) => [id]);
    return {
      paymentCallbacks: rows.map(toCallbackMessage),
      nextPageToken,
    };
  };
}
