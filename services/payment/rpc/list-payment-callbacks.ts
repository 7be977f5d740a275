import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { readList } from "../../runtime/api/list.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { callbackList, selectCallbacks } from "../store/payment-lists.ts";
import { toCallbackMessage } from "./callbacks/callback-message.ts";
import { mayReadUnmatched } from "./callbacks/callback-visibility.ts";

/** Lists the newest callbacks first; with `platform.admin`, includes those of unknown payments. */
export function listPaymentCallbacks({
  db,
}: PaymentContext): ServiceImpl<typeof PaymentService>["listPaymentCallbacks"] {
  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const unmatched = mayReadUnmatched(principal);
    const { rows, nextPageToken } = await readList(callbackList, {
      db,
      call,
      request,
      scope: [tenant],
      read: (reads, page) => selectCallbacks(reads, { tenant, unmatched }, page),
    });
    return { paymentCallbacks: rows.map(toCallbackMessage), nextPageToken };
  };
}
