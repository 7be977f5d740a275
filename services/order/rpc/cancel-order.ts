import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { Transaction } from "kysely";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { idempotent } from "../../runtime/db/idempotency.ts";
import { reasonOf } from "../../runtime/errors.ts";
import { checkEtag } from "../../runtime/etag.ts";
import { requestIdOf } from "../../runtime/request-id.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { command } from "../domain/changes.ts";
import { type Order, orderName } from "../domain/order.ts";
import { effectiveState, transition } from "../domain/order-state.ts";
import { lostRace, orderNotFound, shipmentUnderWay, wrongState } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { findOrder, lockOrder, saveChanges } from "../store/orders.ts";
import { attempt } from "./attempt.ts";
import { orderIdOf } from "./order-name.ts";

/**
 * Cancels an order at any stage by having its saga undone. Where shipments may exist, these are cancelled first: once one
 * is under way the cancellation is refused and nothing has changed. Cancelling them may change the order, so that the
 * etag is checked before.
 */
export function cancelOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["cancelOrder"] {
  const method = OrderService.method.cancelOrder;
  return async (request, context) => {
    const principal = principalOf(context);
    const { tenant } = principal;
    const id = orderIdOf(request.name);
    const call = { tenant, method, requestId: requestIdOf(request, context), request, clock: ctx.clock };

    const cancel = async (trx: Transaction<OrderDatabase>, { shipmentsCancelled }: Prepared) => {
      const before = await lockOrder(trx, ctx.db.dialect, tenant, id);
      if (before === undefined) {
        throw orderNotFound(request.name);
      }
      if (!shipmentsCancelled) {
        checkEtag(request.etag, before.version);
        if (mayHaveShipments(before)) {
          throw lostRace(before);
        }
      }
      const cancelled = command(
        before,
        "CANCEL",
        {
          type: "OrderCancelling",
          message: request.note || "Cancellation was asked for.",
          metadata: { reason: "REQUESTED" },
          patch: { cancelReason: "REQUESTED", heldAt: undefined },
        },
        { actor: actorOf(principal), at: ctx.clock.now().getTime() },
      );
      if (!cancelled.ok) {
        throw wrongState(before, "CancelOrder");
      }
      const order = await saveChanges(trx, ctx, before, [cancelled.change]);
      await ctx.sagas.compensate(trx, order.sagaId, "REQUESTED", request.note || "Cancellation was asked for.");
      return toOrderMessage(order);
    };

    for (let tries = 1; ; tries++) {
      const prepared = await attempt(() => prepare(ctx, tenant, request, context));
      try {
        return await idempotent(ctx.db, call, async (trx) => cancel(trx, prepared()));
      } catch (error) {
        if (reasonOf(error) !== "ORDER_CHANGED" || tries >= MAX_TRIES) {
          throw error;
        }
      }
    }
  };
}

/** How often a cancellation begins anew when the order was confirmed while it was prepared. */
const MAX_TRIES = 3;

interface Prepared {
  readonly shipmentsCancelled: boolean;
}

/** Refuses what cannot be cancelled, and cancels the shipments of what can. */
async function prepare(
  { db, clients }: OrderContext,
  tenant: string,
  { name, etag }: { readonly name: string; readonly etag: string },
  context: HandlerContext,
): Promise<Prepared> {
  const order = await findOrder(db.kysely, tenant, orderIdOf(name));
  if (order === undefined) {
    throw orderNotFound(name);
  }
  checkEtag(etag, order.version);
  if (!transition(order, "CANCEL").ok) {
    throw wrongState(order, "CancelOrder");
  }
  if (!mayHaveShipments(order)) {
    return { shipmentsCancelled: false };
  }
  try {
    await clients.logistics.for(tenant, context).cancelOrderShipments({ parent: orderName(order) });
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.FailedPrecondition) {
      throw shipmentUnderWay(order, error.rawMessage);
    }
    throw error;
  }
  return { shipmentsCancelled: true };
}

function mayHaveShipments(order: Order): boolean {
  const state = effectiveState(order);
  return state === "CONFIRMED" || state === "FULFILLING";
}
