import type { Transaction } from "kysely";
import type { OutboxEvent } from "../../runtime/outbox/outbox.ts";
import type { SagaDefinition } from "../../runtime/saga/definition.ts";
import type { Sagas } from "../../runtime/saga/saga-client.ts";
import type { OrderDatabase } from "../db/schema.ts";
import type { Change } from "../domain/changes.ts";
import { orderName } from "../domain/order.ts";
import { type ChangeSink, insertOrders } from "../store/orders.ts";
import { type PlaceOrderState, placeOrderState } from "./place-order.ts";

/** An order about to be placed, with its payment token. */
export interface Placement {
  readonly change: Change;
  readonly paymentToken: string;
  /** Details for the audit trail. */
  readonly audit: readonly OutboxEvent[];
}

/** Dependencies of {@link startOrders}. */
export interface StartContext extends ChangeSink {
  readonly sagas: Sagas<OrderDatabase>;
  readonly definitions: { readonly placeOrder: SagaDefinition<PlaceOrderState, OrderDatabase> };
}

/** Writes new orders and starts their sagas, in the caller's transaction. Throws as `insertOrders` does. */
export async function startOrders(
  trx: Transaction<OrderDatabase>,
  ctx: StartContext,
  placements: readonly Placement[],
): Promise<void> {
  await insertOrders(
    trx,
    ctx,
    placements.map(({ change }) => change),
  );
  await ctx.outbox.publish(
    trx,
    placements.flatMap(({ audit }) => audit),
  );
  for (const { change, paymentToken } of placements) {
    const { order } = change;
    await ctx.sagas.start(trx, {
      definition: ctx.definitions.placeOrder,
      id: order.sagaId,
      tenant: order.tenant,
      aggregate: orderName(order),
      state: placeOrderState(order, paymentToken),
    });
  }
}
