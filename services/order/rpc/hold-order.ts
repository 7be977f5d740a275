import type { ServiceImpl } from "@connectrpc/connect";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { idempotent } from "../../runtime/db/idempotency.ts";
import { checkEtag } from "../../runtime/etag.ts";
import { requestIdOf } from "../../runtime/request-id.ts";
import type { OrderContext } from "../context.ts";
import { command } from "../domain/changes.ts";
import { orderNotFound, wrongState } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { changeOrder } from "../store/orders.ts";
import { orderIdOf } from "./order-name.ts";

/** Stops an order, and its saga after the step that runs now. A saga that has ended has nothing to stop. */
export function holdOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["holdOrder"] {
  const method = OrderService.method.holdOrder;
  return async (request, context) => {
    const principal = principalOf(context);
    const { tenant } = principal;
    const id = orderIdOf(request.name);
    const call = { tenant, method, requestId: requestIdOf(request, context), request, clock: ctx.clock };
    return idempotent(ctx.db, call, async (trx) => {
      const at = ctx.clock.now().getTime();
      const order = await changeOrder(trx, ctx, { tenant, id }, (before) => {
        checkEtag(request.etag, before.version);
        const message = request.note || "The order was put on hold.";
        const happening = { type: "OrderHeld", message, patch: { heldAt: at } };
        const held = command(before, "HOLD", happening, { actor: actorOf(principal), at });
        if (!held.ok) {
          throw wrongState(before, "HoldOrder");
        }
        return [held.change];
      });
      if (order === undefined) {
        throw orderNotFound(request.name);
      }
      await ctx.sagas.pause(trx, order.sagaId);
      return toOrderMessage(order);
    });
  };
}
