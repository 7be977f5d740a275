import type { Transaction } from "kysely";
import { SagaCommand } from "../../../gen/docket/admin/v1/admin_service_pb.js";
import { OPERATOR_NOTE, type SagaRules } from "../../runtime/admin/saga-admin.ts";
import { wrongSagaState } from "../../runtime/admin/saga-message.ts";
import type { Saga } from "../../runtime/saga/saga.ts";
import type { OrderContext } from "../context.ts";
import type { OrderDatabase } from "../db/schema.ts";
import { lacksFunds } from "../domain/funding.ts";
import { type Order, orderName } from "../domain/order.ts";
import { isGivenUp } from "../domain/owed-money.ts";
import { orderNotFound, orderNotFunded, wrongState } from "../errors.ts";
import { orderIdOf } from "../messages.ts";
import { commitCancellation, prepareCancellation } from "../rpc/cancellation/cancellation.ts";
import { retryIfChanged } from "../rpc/fencing/retry-if-changed.ts";
import { changeOrder } from "../store/change-order.ts";
import { executeIn } from "../store/in-transaction.ts";

/**
 * Operators' commands to the sagas of orders.
 *
 * - Compensating an order's current saga cancels the order, and is rejected in the same cases as CancelOrder. If the
 *   order was cancelled or has expired already, only the saga is compensated. A superseded saga is rejected.
 * - The saga of an order that has lost its funds is not retried, as ReleaseOrder rejects the order.
 * - Only ReleaseOrder resumes the saga of an order on hold.
 */
export function sagaRules(ctx: OrderContext): SagaRules<OrderDatabase> {
  return {
    async check(trx, saga, command) {
      const order = await lockedOrderOf(ctx, trx, saga);
      switch (command) {
        case SagaCommand.RETRY:
          if (lacksFunds(order)) {
            throw orderNotFunded(order);
          }
          return;
        case SagaCommand.RESUME:
          if (order.state === "ON_HOLD") {
            throw wrongState(order, "ResumeSaga");
          }
          return;
        case SagaCommand.COMPENSATE:
          if (![order.sagaId, order.lateSagaId, order.linesSagaId].includes(saga.id)) {
            throw wrongSagaState(`sagas/${saga.id}`, saga.status);
          }
          return;
        default:
      }
    },

    async compensate(saga, call, record) {
      const order = await ctx.reads.find({ tenant: saga.tenant, id: orderIdOf(saga.aggregate) });
      if (order === undefined) {
        throw orderNotFound(saga.aggregate);
      }
      if (order.sagaId !== saga.id || isGivenUp(order)) {
        return false;
      }
      const wanted = { name: orderName(order), etag: "", note: OPERATOR_NOTE, method: "CompensateSaga" };
      await retryIfChanged(async () => {
        const prepared = await prepareCancellation(ctx, wanted, call);
        await ctx.db.transaction(async (trx) => {
          await executeIn(trx, ctx, commitCancellation(ctx, wanted, { call, prepared }));
          await record(trx);
        });
      });
      return true;
    },
  };
}

async function lockedOrderOf(
  ctx: OrderContext,
  trx: Transaction<OrderDatabase>,
  { tenant, aggregate }: Saga,
): Promise<Order> {
  const order = await executeIn(
    trx,
    ctx,
    changeOrder(ctx, { tenant, id: orderIdOf(aggregate) }, () => []),
  );
  if (order === undefined) {
    throw orderNotFound(aggregate);
  }
  return order;
}
