import type { ServiceImpl } from "@connectrpc/connect";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { idempotent } from "../../runtime/db/idempotency.ts";
import { checkEtag } from "../../runtime/etag.ts";
import { requestIdOf } from "../../runtime/request-id.ts";
import type { OrderContext } from "../context.ts";
import { type Change, command, consequences } from "../domain/changes.ts";
import type { Order } from "../domain/order.ts";
import { orderNotFound, wrongState } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { lockOrder, saveChanges } from "../store/orders.ts";
import { orderIdOf } from "./order-name.ts";

/**
 * Lets a stopped order and its saga go on. The time that an unpaid order was on hold is added to its deadline. Also for
 * orders that need attention: whoever releases one has looked, and its saga tries again.
 */
export function releaseOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["releaseOrder"] {
  const method = OrderService.method.releaseOrder;
  return async (request, context) => {
    const principal = principalOf(context);
    const { tenant } = principal;
    const id = orderIdOf(request.name);
    const call = { tenant, method, requestId: requestIdOf(request, context), request, clock: ctx.clock };
    return idempotent(ctx.db, call, async (trx) => {
      const before = await lockOrder(trx, ctx.db.dialect, tenant, id);
      if (before === undefined) {
        throw orderNotFound(request.name);
      }
      checkEtag(request.etag, before.version);
      const moment = { actor: actorOf(principal), at: ctx.clock.now().getTime() };
      const released = command(before, "RELEASE", releasing(before, request.note, moment.at), moment);
      if (!released.ok) {
        throw wrongState(before, "ReleaseOrder");
      }
      const changes: Change[] = [released.change, ...consequences(released.change.order, moment)];
      const order = await saveChanges(trx, ctx, before, changes);
      for (const sagaId of [order.sagaId, order.lateSagaId]) {
        if (sagaId !== undefined) {
          await goOn(ctx, trx, sagaId);
        }
      }
      return toOrderMessage(order);
    });
  };
}

/** Whichever of the two the saga needs; neither where it has ended. */
async function goOn(
  { sagas }: OrderContext,
  trx: Parameters<OrderContext["sagas"]["resume"]>[0],
  sagaId: string,
): Promise<void> {
  const resumed = await sagas.resume(trx, sagaId);
  if (!resumed.ok && resumed.reason === "WRONG_STATUS" && resumed.status === "NEEDS_ATTENTION") {
    await sagas.retry(trx, sagaId);
  }
}

function releasing(order: Order, note: string, at: number) {
  const waited = order.resume === "PLACING" || order.resume === "AWAITING_PAYMENT";
  const heldMs = order.heldAt !== undefined && waited ? Math.max(0, at - order.heldAt) : 0;
  return {
    type: "OrderReleased",
    message: note || "The order goes on.",
    patch: {
      heldAt: undefined,
      paymentDeadlineAt: order.paymentDeadlineAt + heldMs,
    },
  };
}
