import { advance, type Change, command, derivedTransitions, note, type Stamp } from "./changes.ts";
import { isUnpaidFor, lacksFunds } from "./funding.ts";
import type { Order } from "./order.ts";
import { effectiveState } from "./order-state.ts";
import { owesMoney } from "./owed-money.ts";
import { allDelivered } from "./parcels.ts";

/** Outcome of ReleaseOrder. */
export type Release =
  | { readonly kind: "released"; readonly changes: readonly Change[] }
  /** The order stays NEEDS_ATTENTION because it owes money; the refund must be retried. */
  | { readonly kind: "owes"; readonly changes: readonly Change[] }
  /** The order lost its funds before anything was shipped. */
  | { readonly kind: "not-funded" }
  /** The order is not stopped. */
  | { readonly kind: "wrong-state" };

/**
 * Releases a stopped order. The deadline of an unpaid order is extended by the time it was on hold. An order whose
 * goods were delivered without being paid for is completed. `text` is the caller's note; empty for none.
 */
export function release(before: Order, text: string, moment: Stamp): Release {
  if (before.state === "NEEDS_ATTENTION" && owesMoney(before)) {
    const happening = { type: "RefundRetryRequested", message: text || "A retry of the refund was requested." };
    return { kind: "owes", changes: [note(before, happening, moment)] };
  }
  const patch = { heldAt: undefined, paymentDeadlineAt: before.paymentDeadlineAt + heldMs(before, moment.at) };
  const happening = { type: "OrderReleased", message: text || "The order was released.", patch };
  const released = command(before, "RELEASE", happening, moment);
  if (!released.ok) {
    return { kind: "wrong-state" };
  }
  if (lacksFunds(before)) {
    return { kind: "not-funded" };
  }
  const { order } = released.change;
  return {
    kind: "released",
    changes: [released.change, ...(completed(order, moment) ?? derivedTransitions(order, moment))],
  };
}

/** How long an order that awaits payment has been on hold; zero for others. */
export function heldMs({ heldAt, resume }: Order, at: number): number {
  const waits = resume === "PLACING" || resume === "AWAITING_PAYMENT";
  return heldAt !== undefined && waits ? Math.max(0, at - heldAt) : 0;
}

function completed(order: Order, moment: Stamp): Change[] | undefined {
  const isWrittenOff = effectiveState(order) === "FULFILLING" && allDelivered(order.lines) && isUnpaidFor(order);
  const message = "All lines are delivered; the missing payment was written off.";
  return isWrittenOff ? [advance(order, "COMPLETE", { type: "OrderCompleted", message }, moment)] : undefined;
}
