import type { Order } from "./order.ts";
import { effectiveState, type OrderState } from "./order-state.ts";

/** Orders whose money goes back, or has gone back. */
const givenUp: ReadonlySet<OrderState> = new Set(["CANCELLING", "CANCELLED", "EXPIRED"]);

/** Whether the order has been given up, so that no money of the buyer's may stay. */
export function isGivenUp(order: Order): boolean {
  return givenUp.has(effectiveState(order));
}

/** Whether money of the buyer's is with the merchant although the order has been given up. */
export function owesMoney(order: Order): boolean {
  return isGivenUp(order) && order.captured > order.refunded;
}
