import type { Batch } from "../../../runtime/commands/command.ts";
import { type Order, orderName } from "../../domain/order.ts";
import { orderNotFound } from "../../errors.ts";
import { getOrder, type OrderKey } from "../../store/change-order.ts";

/**
 * Returns a declared order.
 *
 * @throws ConnectError NOT_FOUND
 */
export function existingOrder(batch: Batch, key: OrderKey): Order {
  const order = getOrder(batch, key);
  if (order === undefined) {
    throw orderNotFound(orderName(key));
  }
  return order;
}
