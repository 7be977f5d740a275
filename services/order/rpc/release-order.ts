import type { ServiceImpl } from "@connectrpc/connect";
import type { Transaction } from "kysely";
import { OrderService } from "../../../gen/docket/order/v1/order_service_pb.js";
import { checkEtag } from "../../runtime/api/etag.ts";
import { actorOf, principalOf } from "../../runtime/context-values.ts";
import { idempotencyKeyOf } from "../../runtime/idempotency/idempotency-key.ts";
import { idempotent } from "../../runtime/idempotency/idempotent.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { type Change, note, type Stamp } from "../domain/changes.ts";
import { type Order, reservationName } from "../domain/order.ts";
import { effectiveState } from "../domain/order-state.ts";
import { type Release, release } from "../domain/release.ts";
import { orderNotFound, orderNotFunded, wrongState } from "../errors.ts";
import { orderIdOf, toOrderMessage } from "../messages.ts";
import { retryRefundOf } from "../saga/start-late-payment.ts";
import { findOrder, lockOrder, saveChanges } from "../store/orders.ts";
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
      const order = await findOrder(ctx.db.kysely, tenant, id);
      return holdStockAgain(ctx, order && (await awaitRefund(ctx, order, call.signal)), call.signal);
    };
    const commit = async (trx: Transaction<OrderDatabase>, stockHeld: number | undefined) => {
      const before = await lockOrder(trx, ctx.db.dialect, tenant, id);
      if (before === undefined) {
        throw orderNotFound(request.name);
      }
      checkEtag(request.etag, before.version);
      const moment = { actor: actorOf(principal), at: ctx.clock.now().getTime() };
      const released = await changesOf(trx, ctx, before, release(before, request.note, moment));
      const changes = withReservation(released, before, stockHeld, moment);
      const order = await saveChanges(trx, ctx, before, changes);
      for (const sagaId of [order.sagaId, order.lateSagaId, order.linesSagaId]) {
        if (sagaId !== undefined) {
          await goOn(ctx, trx, sagaId);
        }
      }
      return toOrderMessage(order);
    };
    return idempotent(ctx.db, mutation, { prepare, commit });
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
 * The changes; for an order that owes money and whose sagas have all ended, includes the saga that retries the refund.
 */
async function changesOf(
  trx: Transaction<OrderDatabase>,
  ctx: OrderContext,
  before: Order,
  released: Release,
): Promise<readonly Change[]> {
  switch (released.kind) {
    case "released":
      return released.changes;
    case "owes": {
      const order = released.changes.at(-1)?.order ?? before;
      const begins = effectiveState(order) !== "CANCELLING" && order.lateSagaId === undefined;
      return begins ? [...released.changes, await retryRefundOf(trx, ctx, order)] : released.changes;
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
