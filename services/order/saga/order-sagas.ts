import type { KeySet } from "../../runtime/commands/command.ts";
import type { SagaAggregate, SagaKey } from "../../runtime/saga/batch-sagas.ts";
import type { OrderContext } from "../context.ts";
import { orderName } from "../domain/order.ts";
import { needOrder, type OrderKey } from "../store/change-order.ts";

/** Declares an order and its sagas. */
export function needOrderAndSagas({ sagas }: Pick<OrderContext, "sagas">, need: KeySet, key: OrderKey): void {
  needOrder(need, key);
  sagas.inBatch.keys(need, aggregateOf(key));
}

/** The key of one of an order's sagas. */
export function sagaKeyOf(order: OrderKey, sagaId: string): SagaKey {
  return { ...aggregateOf(order), id: sagaId };
}

function aggregateOf({ tenant, id }: OrderKey): SagaAggregate {
  return { tenant, aggregate: orderName(id) };
}
