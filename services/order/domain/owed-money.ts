import type { Order } from "./order.ts";
import { effectiveState, type OrderState } from "./order-state.ts";

/** States in which the order's money is or has been refunded. */
const givenUp: ReadonlySet<OrderState> = new Set(["CANCELLING", "CANCELLED", "EXPIRED"]);

/** Whether the order was abandoned, so that the merchant may keep none of the buyer's money. */
export function isGivenUp(order: Order): boolean {
  return givenUp.has(effectiveState(order));
}

/** Whether the merchant holds the buyer's money although the order was abandoned. */
export function owesMoney(order: Order): boolean {
  return isGivenUp(order) && order.captured > order.refunded;
}
