import type { ServiceImpl } from "@connectrpc/connect";
import type { Order as OrderMessage } from "../../../gen/docket/order/v1/order_pb.js";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import type { Batch, Command } from "../../runtime/commands/command.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { prepareAndExecuteOnce } from "../../runtime/idempotency/execute-once.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import type { SagaKey } from "../../runtime/saga/batch-sagas.ts";
import type { OrderContext } from "../context.ts";
import { type Change, note, type Stamp } from "../domain/changes.ts";
import { type Order, reservationName } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { type Release, release } from "../domain/release.ts";
import { orderNotFunded, wrongState } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { needOrderAndSagas, sagaKeyOf } from "../saga/order-sagas.ts";
import { retryRefundOf } from "../saga/start-late-payment.ts";
import { recordChanges } from "../store/change-order.ts";
import { existingOrder } from "./changing/existing-order.ts";
import { holdStockAgain } from "./holding/hold-stock-again.ts";
import { awaitRefund } from "./releasing/await-refund.ts";

/**
 * Releases a stopped order and its sagas. The deadline of an unpaid order is extended by the time on hold, and its
 * stock is reserved until then: an expired reservation is replaced, or the release rejected as OUT_OF_STOCK. An order
 * that needs attention retries the failed step. While it owes money it stays NEEDS_ATTENTION: the refund is retried,
 * and the order is released once the refund succeeds. An order whose goods were delivered without being paid for is
 * completed; one that lost its funds before anything was shipped can only be cancelled.
 */
export function releaseOrder(ctx: OrderContext): ServiceImpl<typeof OrderService>["releaseOrder"] {
  const method = OrderService.method.releaseOrder;
  return async (request, call) => {
    const principal = principalOf(call);
    const { tenant } = principal;
    const id = orderIdOf(request.name);
    const mutation = { tenant, method, requestId: idempotencyKeyOf(request, call), request, clock: ctx.clock };
    const prepare = async () => {
      const order = await ctx.reads.find({ tenant, id });
      return holdStockAgain(ctx, order && (await awaitRefund(ctx, order, call.signal)), call.signal);
    };
    const command = (stockHeld: number | undefined): Command<OrderMessage> => ({
      keys: (need) => needOrderAndSagas(ctx, need, { tenant, id }),
      decide(batch) {
        const before = existingOrder(batch, { tenant, id });
        checkEtag(request.etag, before.version);
        const moment = { actor: actorOf(principal), at: ctx.clock.now().getTime() };
        const released = changesOf(batch, ctx, before, release(before, request.note, moment));
        const order = recordChanges(batch, ctx, before, withReservation(released, before, stockHeld, moment));
        for (const sagaId of [order.sagaId, order.lateSagaId, order.linesSagaId]) {
          if (sagaId !== undefined) {
            goOn(batch, ctx, sagaKeyOf(order, sagaId));
          }
        }
        return toOrderMessage(order);
      },
    });
    return prepareAndExecuteOnce(ctx.commands, mutation, { prepare, command });
  };
}

/** The changes, and the number of the reservation that holds the stock, if any. */
function withReservation(
  changes: readonly Change[],
  before: Order,
  attempt: number | undefined,
  moment: Stamp,
): readonly Change[] {
  const last = changes.at(-1)?.order;
  if (attempt === undefined || last === undefined) {
    return changes;
  }
  const isNew = attempt > before.reservationAttempt;
  const happening = {
    type: isNew ? "StockReserved" : "StockHoldExtended",
    message: isNew
      ? "The reservation had expired while the order was on hold; the stock is held again."
      : "The stock is held until the new payment deadline.",
    metadata: { reservation: reservationName(before.id, attempt) },
    patch: { reservationAttempt: Math.max(attempt, before.reservationAttempt) },
  };
  return [...changes, note(last, happening, { ...moment, actor: "service:order" })];
}

/**
 * The changes; for an order that owes money and whose sagas have all ended, also starts the saga that retries the
 * refund.
 */
function changesOf(batch: Batch, ctx: OrderContext, before: Order, released: Release): readonly Change[] {
  switch (released.kind) {
    case "released":
      return released.changes;
    case "owes": {
      const order = released.changes.at(-1)?.order ?? before;
      const begins = effectiveState(order) !== "CANCELLING" && order.lateSagaId === undefined;
      return begins ? [...released.changes, retryRefundOf(batch, ctx, order)] : released.changes;
    }
    case "not-funded":
      throw orderNotFunded(before);
    case "wrong-state":
      throw wrongState(before, "ReleaseOrder");
    default:
      return released satisfies never;
  }
}

/** Resumes or retries the saga, whichever applies; does nothing if it has ended. */
function goOn(batch: Batch, { sagas }: OrderContext, saga: SagaKey): void {
  const resumed = sagas.inBatch.resume(batch, saga);
  if (!resumed.ok && resumed.reason === "WRONG_STATUS" && resumed.status === "NEEDS_ATTENTION") {
    sagas.inBatch.retry(batch, saga);
  }
}
