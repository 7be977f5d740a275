/**
 * The way of an order.
 *
 * ```text
 *   PLACING ──► AWAITING_PAYMENT ──► CONFIRMED ◄──► FULFILLING ──► COMPLETED
 *      └──────────(nothing to pay)──────► ▲
 *                        │                │ money came late and the stock is there again
 *                        ├──► EXPIRED ────┤
 *                                         │
 *   each of the first four ──► CANCELLING ──► CANCELLED
 *   each of the first four ◄──► ON_HOLD ────► CANCELLING
 *   each but ON_HOLD and COMPLETED ◄──► NEEDS_ATTENTION ──► CANCELLING
 * ```
 *
 * ON_HOLD and NEEDS_ATTENTION remember the order's state (`resume`) and return to it. Events in the meantime (a
 * payment, a delivery) advance the remembered state, so stopping an order loses nothing.
 */
export const orderStates = [
  "PLACING",
  "AWAITING_PAYMENT",
  "CONFIRMED",
  "FULFILLING",
  "COMPLETED",
  "ON_HOLD",
  "CANCELLING",
  "CANCELLED",
  "EXPIRED",
  "NEEDS_ATTENTION",
] as const;

export type OrderState = (typeof orderStates)[number];

/** Triggers of state transitions. */
export const orderTriggers = [
  /** The stock is reserved and the payment is open. */
  "AWAIT_PAYMENT",
  /** The order is paid and its stock is committed. */
  "CONFIRM",
  /** The first shipment was created. */
  "SHIP",
  /** The last remaining shipment was cancelled. */
  "UNSHIP",
  /** Everything is delivered and paid. */
  "COMPLETE",
  /** A caller puts the order on hold. */
  "HOLD",
  /** A caller releases a stopped order. */
  "RELEASE",
  /** A caller cancels the order, or a step was rejected. */
  "CANCEL",
  /** The compensation has finished. */
  "END_CANCEL",
  /** The payment deadline has passed and the compensation has finished. */
  "EXPIRE",
  /** A late payment arrived, and the stock could be reserved and committed again. */
  "REOPEN",
  /** A step failed permanently. */
  "FAIL",
] as const;

export type OrderTrigger = (typeof orderTriggers)[number];

/** State of an order. `resume` is set exactly in ON_HOLD and NEEDS_ATTENTION. */
export interface OrderStatus {
  readonly state: OrderState;
  readonly resume: OrderState | undefined;
}

/** `resume` denotes the remembered state. */
type Target = OrderState | "resume";

const table: Readonly<Record<OrderState, Readonly<Partial<Record<OrderTrigger, Target>>>>> = {
  PLACING: {
    AWAIT_PAYMENT: "AWAITING_PAYMENT",
    CONFIRM: "CONFIRMED",
    HOLD: "ON_HOLD",
    CANCEL: "CANCELLING",
    FAIL: "NEEDS_ATTENTION",
  },
  AWAITING_PAYMENT: {
    CONFIRM: "CONFIRMED",
    EXPIRE: "EXPIRED",
    HOLD: "ON_HOLD",
    CANCEL: "CANCELLING",
    FAIL: "NEEDS_ATTENTION",
  },
  CONFIRMED: { SHIP: "FULFILLING", HOLD: "ON_HOLD", CANCEL: "CANCELLING", FAIL: "NEEDS_ATTENTION" },
  FULFILLING: {
    UNSHIP: "CONFIRMED",
    COMPLETE: "COMPLETED",
    HOLD: "ON_HOLD",
    CANCEL: "CANCELLING",
    FAIL: "NEEDS_ATTENTION",
  },
  COMPLETED: {},
  ON_HOLD: { RELEASE: "resume", CANCEL: "CANCELLING", FAIL: "NEEDS_ATTENTION" },
  CANCELLING: { END_CANCEL: "CANCELLED", FAIL: "NEEDS_ATTENTION" },
  CANCELLED: { REOPEN: "CONFIRMED", FAIL: "NEEDS_ATTENTION" },
  EXPIRED: { REOPEN: "CONFIRMED", FAIL: "NEEDS_ATTENTION" },
  NEEDS_ATTENTION: { RELEASE: "resume", CANCEL: "CANCELLING" },
};

/** Triggers that advance the remembered state of a stopped order. The others move the order itself or are rejected. */
const progress: ReadonlySet<OrderTrigger> = new Set([
  "AWAIT_PAYMENT",
  "CONFIRM",
  "SHIP",
  "UNSHIP",
  "COMPLETE",
  "END_CANCEL",
  "EXPIRE",
  "REOPEN",
]);

export type Transition =
  | { readonly ok: true; readonly to: OrderStatus }
  | { readonly ok: false; readonly state: OrderState; readonly allowed: readonly OrderTrigger[] };

/** A stopped order whose remembered state is terminal cannot be cancelled: there is nothing to compensate. */
const ended: ReadonlySet<OrderState> = new Set(["COMPLETED", "CANCELLED", "EXPIRED"]);

/** Returns the next status, or the triggers that would be allowed. Total over every status and trigger. */
export function transition(from: OrderStatus, trigger: OrderTrigger): Transition {
  const to = target(from, trigger);
  return to === undefined ? { ok: false, state: from.state, allowed: allowedTriggers(from) } : { ok: true, to };
}

/** The triggers allowed in this status. */
export function allowedTriggers(from: OrderStatus): readonly OrderTrigger[] {
  return orderTriggers.filter((trigger) => target(from, trigger) !== undefined);
}

function target({ state, resume }: OrderStatus, trigger: OrderTrigger): OrderStatus | undefined {
  if (resume !== undefined && progress.has(trigger)) {
    const moved = target({ state: resume, resume: undefined }, trigger);
    return moved && { state, resume: moved.state };
  }
  const to = table[state][trigger];
  if (to === undefined || (trigger === "CANCEL" && resume !== undefined && ended.has(resume))) {
    return undefined;
  }
  if (to === "resume") {
    return resume && { state: resume, resume: undefined };
  }
  const stops = to === "ON_HOLD" || to === "NEEDS_ATTENTION";
  return { state: to, resume: stops ? (resume ?? state) : undefined };
}

/** The effective state: the remembered one if the order is stopped. */
export function effectiveState({ state, resume }: OrderStatus): OrderState {
  return resume ?? state;
}
