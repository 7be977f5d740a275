import type { HandlerContext } from "@connectrpc/connect";
import type { Transaction } from "kysely";
import type { Saga as SagaMessage } from "../../../../gen/docket/operations/v1/operations_pb.js";
import { auditTrail } from "../../../runtime/audit/audit.ts";
import { principalOf } from "../../../runtime/context-values.ts";
import type { Saga } from "../../../runtime/saga/saga.ts";
import type { CommandResult } from "../../../runtime/saga/saga-client.ts";
import type { OrderContext } from "../../context.ts";
import type { OrderDatabase } from "../../db/schema.ts";
import type { Order } from "../../domain/order.ts";
import { orderNotFound, wrongSagaState } from "../../errors.ts";
import { orderIdOf } from "../../messages.ts";
import { findOrder, lockOrder } from "../../store/orders.ts";
import { sagaIdOf, sagaNotFound, toSagaMessage } from "./saga-message.ts";

/**
 * Finds a saga of the caller's tenant by name.
 *
 * @throws ConnectError NOT_FOUND
 */
export async function findSaga(
  { sagas }: Pick<OrderContext, "sagas">,
  name: string,
  context: Pick<HandlerContext, "values">,
): Promise<Saga> {
  const saga = await sagas.get(sagaIdOf(name));
  if (saga === undefined || saga.tenant !== principalOf(context).tenant) {
    throw sagaNotFound(name);
  }
  return saga;
}

/** The order of a saga. */
export async function orderOfSaga({ db }: OrderContext, { tenant, aggregate }: Saga): Promise<Order> {
  const order = await findOrder(db.kysely, tenant, orderIdOf(aggregate));
  if (order === undefined) {
    throw orderNotFound(aggregate);
  }
  return order;
}

/**
 * Applies a command to a saga of the caller's tenant, with its order locked, and returns the saga afterwards.
 *
 * @throws ConnectError NOT_FOUND, or FAILED_PRECONDITION if the saga's status does not allow the command
 */
export async function commandSaga(
  ctx: OrderContext,
  name: string,
  context: HandlerContext,
  command: (trx: Transaction<OrderDatabase>, saga: Saga, order: Order) => Promise<CommandResult>,
): Promise<SagaMessage> {
  const saga = await findSaga(ctx, name, context);
  const result = await ctx.db.transaction(async (trx) => {
    const order = await lockOrder(trx, ctx.db.dialect, saga.tenant, orderIdOf(saga.aggregate));
    if (order === undefined) {
      throw orderNotFound(saga.aggregate);
    }
    const commanded = await command(trx, saga, order);
    if (commanded.ok) {
      await ctx.outbox.publish(trx, auditTrail(context, { resource: name, aggregate: saga.aggregate }));
    }
    return commanded;
  });
  if (!result.ok) {
    throw result.reason === "NOT_FOUND" ? sagaNotFound(name) : wrongSagaState(name, result.status);
  }
  return toSagaMessage(await findSaga(ctx, name, context));
}
