import type { ServiceImpl } from "@connectrpc/connect";
import type { SagaService } from "../../../../gen/docket/operations/v1/saga_service_pb.js";
import { auditTrail } from "../../../runtime/audit/audit.ts";
import type { OrderContext } from "../../context.ts";
import { orderName } from "../../domain/order.ts";
import { isGivenUp } from "../../domain/owed-money.ts";
import { wrongSagaState } from "../../errors.ts";
import { cancelling } from "../cancellation.ts";
import { commandSaga, findSaga, orderOfSaga } from "./find-saga.ts";
import { toSagaMessage } from "./saga-message.ts";

/**
 * Compensating an order's current saga cancels the order, and is rejected in the same cases as CancelOrder. If the
 * order was cancelled or has expired already, only the saga is compensated. A superseded saga is rejected.
 */
export function compensateSaga(ctx: OrderContext): ServiceImpl<typeof SagaService>["compensateSaga"] {
  return async ({ name }, context) => {
    const saga = await findSaga(ctx, name, context);
    const order = await orderOfSaga(ctx, saga);
    if (order.sagaId === saga.id && !isGivenUp(order)) {
      const note = "An operator asked for it.";
      await cancelling(ctx, { name: orderName(order), etag: "", note, method: "CompensateSaga" }, context, (cancel) =>
        ctx.db.transaction(async (trx) => {
          await cancel(trx);
          await ctx.outbox.publish(trx, auditTrail(context, { resource: name, aggregate: saga.aggregate }));
        }),
      );
      return toSagaMessage(await findSaga(ctx, name, context));
    }
    return commandSaga(ctx, name, context, (trx, { id, status }, { sagaId, lateSagaId, linesSagaId }) => {
      if (![sagaId, lateSagaId, linesSagaId].includes(id)) {
        throw wrongSagaState(name, status);
      }
      return ctx.sagas.compensate(trx, id, "OPERATOR", "An operator asked for it.");
    });
  };
}
