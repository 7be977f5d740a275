import { dueOf, type Order } from "./order.ts";
import { effectiveState, type OrderState } from "./order-state.ts";
import { anyShipped } from "./parcels.ts";
import { type Funds, isSettled } from "./payment-state.ts";

/**
 * How an order follows its money once it is confirmed. Rows are the order's state, columns the state of its payment.
 *
 * ```text
 *              UNPAID          AUTHORIZED   PAID, OVERPAID   PARTIALLY_PAID     PARTIALLY_REFUNDED   REFUNDED
 *  PLACING     waits           waits        waits            waits              waits                waits
 *  AWAITING…   waits           CONFIRMED¹   CONFIRMED        waits²             waits                waits
 *  CONFIRMED   attention       ships¹       ships            ships¹ / attention ships                attention
 *  FULFILLING  no shipments    ships¹       ships            ships¹ / none      ships                no shipments
 *   delivered  attention       waits for    COMPLETED        waits for          COMPLETED³           COMPLETED³
 *                              capture                       capture / attention
 *  CANCELLING, CANCELLED, EXPIRED: every amount that is captured or promised goes back; a refused refund is attention
 * ```
 *
 * ¹ Of orders with manual capture; an authorization counts for the amount that is not captured.
 * ² Until the deadline; then the order expires and the part is refunded.
 * ³ If the total had been captured before.
 *
 * "waits" ends with the payment or its deadline. "attention" is NEEDS_ATTENTION: CancelOrder leads on from there, and
 * if goods were delivered, ReleaseOrder accepts the loss and completes the order. "no shipments" rejects
 * CreateShipment; existing shipments proceed. A loss of funds while something is left to ship also needs attention.
 */

/** Captured money and, for orders with manual capture, authorized money. */
function secured({ capture, authorized, captured }: Pick<Order, "capture" | keyof Funds>): bigint {
  return captured + (capture === "MANUAL" ? authorized : 0n);
}

/**
 * Whether the order's funds allow shipping: the total was secured and has not been refunded in full. Partial refunds do
 * not count, as they are the merchant's decision.
 */
export function isBacked(order: Pick<Order, "capture" | "total" | "cancelledTotal" | keyof Funds>): boolean {
  const due = dueOf(order);
  return due === 0n || (secured(order) >= due && secured(order) > order.refunded);
}

/** Whether the goods can no longer be shipped, and no due capture can still pay for what was delivered. */
export function isUnpaidFor(order: Order): boolean {
  return !isSettled(dueOf(order), order) && secured(order) < dueOf(order);
}

/** Whether a confirmed order without shipments needs attention because it has lost its funds. */
export function lacksFunds(order: Order): boolean {
  return effectiveState(order) === "CONFIRMED" && !anyShipped(order.lines) && !isBacked(order);
}

/** Whether the order has lost its funds with units left to ship. */
export function losesFunds(before: Order, after: Order): boolean {
  const isOpen = openStates.has(effectiveState(after));
  const isLeft = after.lines.some((line) => line.quantityShipped < line.quantity - line.quantityCancelled);
  return isOpen && isLeft && isBacked(before) && !isBacked(after);
}

const openStates: ReadonlySet<OrderState> = new Set(["CONFIRMED", "FULFILLING"]);
