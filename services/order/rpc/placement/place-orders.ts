import type { Command } from "../../../runtime/commands/command.ts";
import type { OrderContext } from "../../context.ts";
import { type Order, orderName } from "../../domain/order.ts";
import { externalIdTaken } from "../../errors.ts";
import { placeOrderSaga, placeOrderState } from "../../saga/place-order.ts";
import { findByExternalId, insertOrder, needNewOrder } from "../../store/change-order.ts";
import { findOrdersByExternalId } from "../../store/orders.ts";
import type { Placement } from "./new-placement.ts";

/**
 * A command that writes new orders, their events and their sagas, and returns the orders.
 *
 * @throws ConnectError ALREADY_EXISTS naming the order that has one of the external_ids
 */
export function placeOrders(ctx: OrderContext, placements: readonly Placement[]): Command<readonly Order[]> {
  return {
    keys(need) {
      for (const { change } of placements) {
        needNewOrder(need, change.order);
      }
    },
    decide(batch) {
      for (const { change, paymentToken, audit } of placements) {
        const { order } = change;
        const taken = findByExternalId(batch, order);
        if (taken !== undefined) {
          throw externalIdTaken(taken);
        }
        insertOrder(batch, ctx, change);
        audit.forEach(batch.publish);
        ctx.sagas.inBatch.start(batch, {
          definition: placeOrderSaga,
          id: order.sagaId,
          tenant: order.tenant,
          aggregate: orderName(order),
          state: placeOrderState(order, paymentToken),
        });
      }
      return placements.map(({ change }) => change.order);
    },
  };
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
