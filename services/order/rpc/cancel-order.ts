import type { ServiceImpl } from "@connectrpc/connect";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent, storedResponse } from "../../runtime/idempotency/idempotent.ts";
import type { OrderContext } from "../context.ts";
import { toOrderMessage } from "../messages.ts";
import { cancelling } from "./cancellation.ts";

/** Cancels an order in any state, unless a shipment is in transit; see {@link cancelling}. */
export function cancelOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["cancelOrder"] {
  const method = OrderService.method.cancelOrder;
  return async (request, context) => {
    const { tenant } = principalOf(context);
    const { name, etag, note } = request;
    const call = { tenant, method, requestId: idempotencyKeyOf(request, context), request, clock: ctx.clock };
    const replayed = await storedResponse(ctx.db, call);
    if (replayed !== undefined) {
      return replayed;
    }
    return cancelling(ctx, { name, etag, note, method: "CancelOrder" }, context, (cancel) =>
      idempotent(ctx.db, call, async (trx) => toOrderMessage(await cancel(trx))),
    );
  };
}
