import type { ServiceImpl } from "@connectrpc/connect";
import type { Transaction } from "kysely";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent } from "../../runtime/idempotency/idempotent.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { command } from "../domain/changes.ts";
import { orderNotFound, wrongState } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { changeOrder } from "../store/orders.ts";
import { checkFence, type FencedShipments, fenceShipments, mayHaveShipments } from "./fencing/fence-shipments.ts";
import { retryIfChanged } from "./fencing/retry-if-changed.ts";

/**
 * Stops an order, and its saga after the current step. A saga that has ended is not stopped. A CreateShipment that
 * began before has either created its shipment or is rejected: nothing is shipped once this call has returned.
 */
export function holdOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["holdOrder"] {
  const method = OrderService.method.holdOrder;
  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const id = orderIdOf(request.name);
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock: ctx.clock };

    const hold = async (trx: Transaction<OrderDatabase>, fenced: FencedShipments | undefined) => {
      const at = ctx.clock.now().getTime();
      const order = await changeOrder(trx, ctx, { tenant, id }, (before) => {
        checkEtag(request.etag, before.version);
        if (mayHaveShipments(before)) {
          checkFence(before, fenced);
        }
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
    };

    const prepare = () => fenceShipments(ctx, { tenant, id, call });
    return retryIfChanged(() => idempotent(ctx.db, mutation, { prepare, commit: hold }));
  };
}
