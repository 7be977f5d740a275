import type { ServiceImpl } from "@connectrpc/connect";
import type { Transaction } from "kysely";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { idempotent } from "../../runtime/db/idempotency.ts";
import { checkEtag } from "../../runtime/etag.ts";
import { requestIdOf } from "../../runtime/request-id.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { type Change, command, consequences, type Moment, note } from "../domain/changes.ts";
import type { Order } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { owesMoney } from "../domain/owed-money.ts";
import { orderNotFound, wrongState } from "../errors.ts";
import { toOrderMessage } from "../messages.ts";
import { retryRefundOf } from "../saga/late-money.ts";
import { lockOrder, saveChanges } from "../store/orders.ts";
import { orderIdOf } from "./order-name.ts";

/**
 * Lets a stopped order and its sagas go on. The time that an unpaid order was on hold is added to its deadline. An order that
 * needs attention retries what failed. As long as it owes money it stays NEEDS_ATTENTION: the refund is retried, and the
 * order is released when the money has gone back.
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
      const changes =
        before.state === "NEEDS_ATTENTION" && owesMoney(before)
          ? await retryRefund(trx, ctx, before, request.note, moment)
          : release(before, request.note, moment);
      const order = await saveChanges(trx, ctx, before, changes);
      for (const sagaId of [order.sagaId, order.lateSagaId, order.linesSagaId]) {
        if (sagaId !== undefined) {
          await goOn(ctx, trx, sagaId);
        }
      }
      return toOrderMessage(order);
    });
  };
}

function release(before: Order, note: string, moment: Moment): Change[] {
  const released = command(before, "RELEASE", releasing(before, note, moment.at), moment);
  if (!released.ok) {
    throw wrongState(before, "ReleaseOrder");
  }
  return [released.change, ...consequences(released.change.order, moment)];
}

/** Retries the refund of an order that owes money: its saga does, or a new one where all sagas have ended. */
async function retryRefund(
  trx: Transaction<OrderDatabase>,
  ctx: OrderContext,
  before: Order,
  message: string,
  moment: Moment,
): Promise<Change[]> {
  const happening = { type: "RefundRetryRequested", message: message || "The refund is to be retried." };
  const noted = note(before, happening, moment);
  const begins = effectiveState(before) !== "CANCELLING" && before.lateSagaId === undefined;
  return begins ? [noted, await retryRefundOf(trx, ctx, noted.order)] : [noted];
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
