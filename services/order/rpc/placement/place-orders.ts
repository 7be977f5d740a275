import type { Transaction } from "kysely";
import { isUniqueViolation } from "../../../runtime/db/sql.ts";
import type { OrderContext } from "../../context.ts";
import type { OrderDatabase } from "../../db/schema.ts";
import { type Order, orderName } from "../../domain/order.ts";
import { externalIdTaken } from "../../errors.ts";
import { placeOrderSaga, placeOrderState } from "../../saga/place-order.ts";
import { findOrdersByExternalId, insertOrders } from "../../store/orders.ts";
import type { Placement } from "./new-placement.ts";

/**
 * Writes new orders, their events and their sagas in the caller's transaction.
 *
 * @throws ConnectError ALREADY_EXISTS naming the order that has one of the external_ids
 */
export async function placeOrders(
  trx: Transaction<OrderDatabase>,
  ctx: OrderContext,
  placements: readonly Placement[],
): Promise<void> {
  const changes = placements.map(({ change }) => change);
  try {
    await insertOrders(trx, ctx, changes);
  } catch (error) {
    if (!isUniqueViolation(error)) {
      throw error;
    }
    const [taken] = await takenExternalIds(
      trx,
      changes.map(({ order }) => order),
    );
    throw taken === undefined ? error : externalIdTaken(taken);
  }
  await ctx.outbox.publish(
    trx,
    placements.flatMap(({ audit }) => audit),
  );
  for (const { change, paymentToken } of placements) {
    const { order } = change;
    await ctx.sagas.start(trx, {
      definition: placeOrderSaga,
      id: order.sagaId,
      tenant: order.tenant,
      aggregate: orderName(order),
      state: placeOrderState(order, paymentToken),
    });
  }
}

/** Finds stored orders with one of these external_ids. Runs no statement if none is given. */
export async function takenExternalIds(
  db: Parameters<typeof findOrdersByExternalId>[0],
  orders: readonly Pick<Order, "tenant" | "externalId">[],
): Promise<Order[]> {
  const externalIds = orders.flatMap(({ externalId }) => externalId || []);
  const [first] = orders;
  return first === undefined || externalIds.length === 0 ? [] : findOrdersByExternalId(db, first.tenant, externalIds);
}
