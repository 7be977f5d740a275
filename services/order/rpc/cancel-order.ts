import type { ServiceImpl } from "@connectrpc/connect";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { principalOf } from "../../runtime/context-values.ts";
import { prepareAndExecuteOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { storedResponse } from "../../runtime/idempotency/idempotent-call.ts";
import type { OrderContext } from "../context.ts";
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
      prepareAndExecuteOnce(ctx.commands, mutation, {
        prepare: () => prepareCancellation(ctx, wanted, call),
        command: (prepared) => commitCancellation(ctx, wanted, { call, prepared }),
      }),
    );
  };
}
