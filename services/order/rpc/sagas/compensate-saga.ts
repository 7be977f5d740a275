import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import { auditTrail } from "../../../runtime/audit/audit.ts";
import type { OrderContext } from "../../context.ts";
import { orderName } from "../../domain/order.ts";
import { isGivenUp } from "../../domain/owed-money.ts";
import { wrongSagaState } from "../../errors.ts";
import { commitCancellation, prepareCancellation } from "../cancellation/cancellation.ts";
import { retryIfChanged } from "../fencing/retry-if-changed.ts";
import { commandSaga, findSaga, orderOfSaga } from "./find-saga.ts";
import { toSagaMessage } from "./saga-message.ts";

/**
 * Compensating an order's current saga cancels the order, and is rejected in the same cases as CancelOrder. If the
 * order was cancelled or has expired already, only the saga is compensated. A superseded saga is rejected.
 */
export function compensateSaga(ctx: OrderContext): ServiceImpl<typeof SagaService>["compensateSaga"] {
  return async ({ name }, call) => {
    const saga = await findSaga(ctx, name, call);
    const order = await orderOfSaga(ctx, saga);
    if (order.sagaId === saga.id && !isGivenUp(order)) {
      const note = "Requested by an operator.";
      const wanted = { name: orderName(order), etag: "", note, method: "CompensateSaga" };
      await retryIfChanged(async () => {
        const prepared = await prepareCancellation(ctx, wanted, call);
        await ctx.db.transaction(async (trx) => {
          await commitCancellation(ctx, trx, wanted, { call, prepared });
          await ctx.outbox.publish(trx, auditTrail(call, { resource: name, aggregate: saga.aggregate }));
        });
      });
      return toSagaMessage(await findSaga(ctx, name, call));
    }
    return commandSaga(ctx, name, call, (trx, { id, status }, { sagaId, lateSagaId, linesSagaId }) => {
      if (![sagaId, lateSagaId, linesSagaId].includes(id)) {
        throw wrongSagaState(name, status);
      }
      return ctx.sagas.compensate(trx, id, "OPERATOR", "Requested by an operator.");
    });
  };
}
