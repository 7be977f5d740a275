import type { ServiceImpl } from "@connectrpc/connect";
import type { Order as OrderMessage } from "../../../gen/docket/order/v1/order_pb.js";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import type { Command } from "../../runtime/commands/command.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { prepareAndExecuteOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { OrderContext } from "../context.ts";
import { command } from "../domain/changes.ts";
import { wrongState } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { needOrderAndSagas, sagaKeyOf } from "../saga/order-sagas.ts";
import { recordChanges } from "../store/change-order.ts";
import { existingOrder } from "./changing/existing-order.ts";
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

    const hold = (fenced: FencedShipments | undefined): Command<OrderMessage> => ({
      keys: (need) => needOrderAndSagas(ctx, need, { tenant, id }),
      decide(batch) {
        const before = existingOrder(batch, { tenant, id });
        checkEtag(request.etag, before.version);
        if (mayHaveShipments(before)) {
          checkFence(before, fenced);
        }
        const at = ctx.clock.now().getTime();
        const message = request.note || "The order was put on hold.";
        const happening = { type: "OrderHeld", message, patch: { heldAt: at } };
        const held = command(before, "HOLD", happening, { actor: actorOf(principal), at });
        if (!held.ok) {
          throw wrongState(before, "HoldOrder");
        }
        const order = recordChanges(batch, ctx, before, [held.change]);
        ctx.sagas.inBatch.pause(batch, sagaKeyOf(order, order.sagaId));
        return toOrderMessage(order);
      },
    });

    const prepare = () => fenceShipments(ctx, { tenant, id, call });
    return retryIfChanged(() => prepareAndExecuteOnce(ctx.commands, mutation, { prepare, command: hold }));
  };
}
