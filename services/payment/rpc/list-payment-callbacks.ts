import type { ServiceImpl } from "@connectrpc/connect";
import type { PaymentService } from "../../../gen/docket/payment/v1/payment_service_pb.js";
import { decodePageToken, pageSizeOf } from "../../runtime/api/page-token.ts";
import { readPage } from "../../runtime/api/read-page.ts";
import { readsFor } from "../../runtime/api/reads-for.ts";
import type { StoredCallback } from "../../runtime/callbacks/rows.ts";
import { principalOf } from "../../runtime/context-values.ts";
import type { PaymentContext } from "../context.ts";
import { selectCallbacks } from "../store/payment-lists.ts";
import { toCallbackMessage } from "./callbacks/callback-message.ts";
import { mayReadUnmatched } from "./callbacks/callback-visibility.ts";

/** Lists the newest callbacks first; with `platform.admin`, includes those of unknown payments. */
export function listPaymentCallbacks({
  db,
}: PaymentContext): ServiceImpl<typeof PaymentService>["listPaymentCallbacks"] {
  return async ({ filter, pageSize, pageToken }, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const unmatched = mayReadUnmatched(principal);
    const query = ["ListPaymentCallbacks", tenant, filter];
    const reads = { kysely: readsFor(db, call), dialect: db.dialect };
    const { rows, nextPageToken } = await readPage<StoredCallback, readonly [string]>({
      size: pageSizeOf(pageSize),
      query,
      after: decodePageToken(pageToken, query, ["text"]),
      keysOf: ({ id }) => [id],
      // Base64 in JSON.
      bytesOf: ({ body, failureMessage }) => 500 + body.length * (4 / 3) + failureMessage.length,
      read: (after, limit) => selectCallbacks(reads, { tenant, unmatched, filter, before: after?.[0], limit }),
      firstRead: 4,
    });
    return {
      paymentCallbacks: rows.map(toCallbackMessage),
      nextPageToken,
    };
  };
}
