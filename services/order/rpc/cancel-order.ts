import type { ServiceImpl } from "@connectrpc/connect";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent, storedResponse } from "../../runtime/idempotency/idempotent.ts";
import type { OrderContext } from "../context.ts";
import { toOrderMessage } from "../messages.ts";
import { commitCancellation, prepareCancellation } from "./cancellation/cancellation.ts";
import { retryIfChanged } from "./fencing/retry-if-changed.ts";

/** Cancels an order in any state, unless a shipment is in transit; see {@link prepareCancellation}. */
export function cancelOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["cancelOrder"] {
  const method = OrderService.method.cancelOrder;
  return async (request, call) => {
    const { tenant } = principalOf(call);
    const { name, etag, note } = request;
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock: ctx.clock };
    const replayed = await storedResponse(ctx.db, mutation);
    if (replayed !== undefined) {
      return replayed;
    }
    const wanted = { name, etag, note, method: "CancelOrder" };
    return retryIfChanged(() =>
      idempotent(ctx.db, mutation, {
        prepare: () => prepareCancellation(ctx, wanted, call),
        commit: async (trx, prepared) => toOrderMessage(await commitCancellation(ctx, trx, wanted, { call, prepared })),
      }),
    );
  };
}
