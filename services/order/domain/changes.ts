import { isUnpaidFor, lacksFunds } from "./funding.ts";
import { dueOf, type Order, type OrderProgress, type TimelineEntry } from "./order.ts";
import { effectiveState, type OrderTrigger, type Transition, transition } from "./order-state.ts";
import { allDelivered, anyShipped } from "./parcels.ts";
import { isSettled } from "./payment-state.ts";

/** The event published with a change, as in order_events.proto. */
export type OrderFact =
  | "PLACED"
  | "AWAITING_PAYMENT"
  | "CONFIRMED"
  | "FULFILLING"
  | "COMPLETED"
  | "UPDATED"
  | "LINES_CANCELLED"
  | "HELD"
  | "RELEASED"
  | "CANCELLING"
  | "CANCELLED"
  | "EXPIRED"
  | "NEEDS_ATTENTION"
  | "ANONYMIZED";

/** One version step of an order: one timeline entry and one published event. */
export interface Change {
  /** The order after the change. */
  readonly order: Order;
  readonly entry: TimelineEntry;
  readonly fact: OrderFact;
}

/** Actor and time (epoch milliseconds). */
export interface Stamp {
  readonly actor: string;
  readonly at: number;
}

/** An event on an order. */
export interface TimelineEvent {
  /** In the past tense: `StockReserved`. */
  readonly type: string;
  /** The same, human-readable. */
  readonly message: string;
  /** For example SKUs, amounts, names. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Fields changed besides the state. */
  readonly patch?: Partial<Omit<OrderProgress, "state" | "resume" | "version" | "updatedAt">>;
  /** The order's lines after the change, if they change. */
  readonly lines?: Order["lines"];
}

const factOf: Readonly<Record<OrderTrigger, OrderFact>> = {
  AWAIT_PAYMENT: "AWAITING_PAYMENT",
  CONFIRM: "CONFIRMED",
  REOPEN: "CONFIRMED",
  SHIP: "FULFILLING",
  UNSHIP: "UPDATED",
  COMPLETE: "COMPLETED",
  HOLD: "HELD",
  RELEASE: "RELEASED",
  CANCEL: "CANCELLING",
  END_CANCEL: "CANCELLED",
  EXPIRE: "EXPIRED",
  FAIL: "NEEDS_ATTENTION",
};

/** Creates an order: its first change. */
export function placed(order: Order, { actor }: Pick<Stamp, "actor">): Change {
  const entry: TimelineEntry = {
    sequence: 1,
    type: "OrderPlaced",
    message: "The order was placed.",
    state: order.state,
    metadata: {},
    actor,
    createdAt: order.createdAt,
  };
  return { order, entry, fact: "PLACED" };
}

/** A change that keeps the state. */
export function note(order: Order, happening: TimelineEvent, moment: Stamp): Change {
  return change(order, order, "UPDATED", happening, moment);
}

/** Cancels units of the order; the state stays. */
export function linesCancelled(order: Order, happening: TimelineEvent, moment: Stamp): Change {
  return change(order, order, "LINES_CANCELLED", happening, moment);
}

/** Replaces the order's own personal data; the state stays. */
export function anonymized(
  order: Order,
  erased: Pick<Order, "customer" | "shippingAddress" | "labels" | "note">,
  moment: Stamp,
): Change {
  const happening = {
    type: "OrderAnonymized",
    message: "The order's personal data was erased.",
    patch: { ...erased, anonymizedAt: moment.at },
  };
  return change(order, order, "ANONYMIZED", happening, moment);
}

/** A change that applies the transition if the state allows it, and otherwise only records the event. */
export function advance(order: Order, trigger: OrderTrigger, happening: TimelineEvent, moment: Stamp): Change {
  const moved = transition(order, trigger);
  return moved.ok ? change(order, moved.to, factOf[trigger], happening, moment) : note(order, happening, moment);
}

export type Commanded = { readonly ok: true; readonly change: Change } | Extract<Transition, { ok: false }>;

/** A requested change: rejected if the state does not allow it. */
export function command(order: Order, trigger: OrderTrigger, happening: TimelineEvent, moment: Stamp): Commanded {
  const moved = transition(order, trigger);
  return moved.ok ? { ok: true, change: change(order, moved.to, factOf[trigger], happening, moment) } : moved;
}

/** The change to NEEDS_ATTENTION with this message; none if the order needs attention already. */
export function alarm(order: Order, attentionMessage: string, moment: Stamp): Change[] {
  const happening = { type: "OrderNeedsAttention", message: attentionMessage, patch: { attentionMessage } };
  return order.state === "NEEDS_ATTENTION" ? [] : [advance(order, "FAIL", happening, moment)];
}

/**
 * The transitions that follow from what is shipped, delivered and paid: into and out of FULFILLING, to COMPLETED, and
 * to NEEDS_ATTENTION when the order has lost the funds that its state requires.
 */
export function derivedTransitions(order: Order, moment: Stamp): Change[] {
  const changes: Change[] = [];
  let current = order;
  const follow = (trigger: OrderTrigger, happening: TimelineEvent) => {
    const next = advance(current, trigger, happening, moment);
    changes.push(next);
    current = next.order;
  };
  if (effectiveState(current) === "CONFIRMED" && anyShipped(current.lines)) {
    follow("SHIP", { type: "OrderFulfilling", message: "The first shipment was created." });
  }
  if (effectiveState(current) === "FULFILLING" && !anyShipped(current.lines)) {
    follow("UNSHIP", { type: "OrderUnshipped", message: "The order has no shipments left." });
  }
  const isDelivered = effectiveState(current) === "FULFILLING" && allDelivered(current.lines);
  if (isDelivered && isSettled(dueOf(current), current) && current.linesSagaId === undefined) {
    follow("COMPLETE", { type: "OrderCompleted", message: "All lines are delivered and paid." });
  } else if (isDelivered && isUnpaidFor(current)) {
    changes.push(...alarm(current, "All lines are delivered, but the order is not paid for.", moment));
  } else if (lacksFunds(current)) {
    const message = `The order has lost its funds: its payment is ${current.paymentState}. Cancel the order.`;
    changes.push(...alarm(current, message, moment));
  }
  return changes;
}

function change(
  order: Order,
  to: Pick<Order, "state" | "resume">,
  fact: OrderFact,
  { type, message, metadata = {}, patch, lines }: TimelineEvent,
  { actor, at }: Stamp,
): Change {
  const version = order.version + 1;
  const next: Order = {
    ...order,
    ...patch,
    lines: lines ?? order.lines,
    state: to.state,
    resume: to.resume,
    paymentAction: undefined,
    ...(effectiveState(to) === "AWAITING_PAYMENT" && { paymentAction: patch?.paymentAction ?? order.paymentAction }),
    attentionMessage: to.state === "NEEDS_ATTENTION" ? (patch?.attentionMessage ?? order.attentionMessage) : "",
    version,
    updatedAt: Math.max(at, order.updatedAt),
  };
  const entry = { sequence: version, type, message, state: to.state, metadata, actor, createdAt: at };
  return { order: next, entry, fact };
}
