import { advance, alarm, type Change, derivedTransitions, note, type Stamp, type TimelineEvent } from "./changes.ts";
import { losesFunds } from "./funding.ts";
import { dueOf, type Order } from "./order.ts";
import { owesMoney } from "./owed-money.ts";
import { type Funds, paymentStateOf } from "./payment-state.ts";

/** An event on an order's money. */
export interface MoneyHappening extends TimelineEvent {
  /** Sums over all payments of the order, after the event. */
  readonly funds: Funds;
  /** Whether the order needs attention, whatever its state. */
  readonly alarms: boolean;
}

/**
 * All changes that follow from a change of the order's money: the change itself, the release of an order whose debt has
 * been refunded, derived transitions of a confirmed order, and NEEDS_ATTENTION if a person must decide.
 */
export function moneyChanged(before: Order, { funds, alarms, ...happening }: MoneyHappening, moment: Stamp): Change[] {
  const patch = { ...happening.patch, ...funds, paymentState: paymentStateOf(dueOf(before), funds) };
  const changes: Change[] = [
    alarms
      ? advance(before, "FAIL", { ...happening, patch: { ...patch, attentionMessage: happening.message } }, moment)
      : note(before, { ...happening, patch }, moment),
  ];
  const last = () => changes.at(-1)?.order ?? before;
  if (!alarms && before.state === "NEEDS_ATTENTION" && owesMoney(before) && !owesMoney(last())) {
    const repaid = { type: "OrderReleased", message: "All outstanding refunds are complete." };
    changes.push(advance(last(), "RELEASE", repaid, moment));
  }
  changes.push(...derivedTransitions(last(), moment));
  if (losesFunds(before, last())) {
    changes.push(...alarm(last(), "The order has lost its funds, and nothing more of it can be shipped.", moment));
  }
  return changes;
}
