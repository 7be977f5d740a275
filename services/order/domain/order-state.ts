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
 * ON_HOLD and NEEDS_ATTENTION remember where the order stood (`resume`), and return there. What happens to an order
 * meanwhile (a payment, a delivery) moves the remembered state, so nothing is lost by stopping an order.
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

/** What can happen to an order. */
export const orderTriggers = [
  /** The stock is held and the payment is open. */
  "AWAIT_PAYMENT",
  /** The money is there and the stock is committed. */
  "CONFIRM",
  /** The first shipment exists. */
  "SHIP",
  /** The last shipment was cancelled. */
  "UNSHIP",
  /** All is delivered and paid. */
  "COMPLETE",
  /** Somebody stops the order. */
  "HOLD",
  /** Somebody lets a stopped order go on. */
  "RELEASE",
  /** Somebody cancels, or a step was refused. */
  "CANCEL",
  /** All was given back. */
  "END_CANCEL",
  /** The payment's time is over and all was given back. */
  "EXPIRE",
  /** Money came late, and the stock could be held and committed again. */
  "REOPEN",
  /** Something failed for good. */
  "FAIL",
] as const;

export type OrderTrigger = (typeof orderTriggers)[number];

/** Where an order stands. `resume` is set exactly in ON_HOLD and NEEDS_ATTENTION. */
export interface OrderStatus {
  readonly state: OrderState;
  readonly resume: OrderState | undefined;
}

/** `resume` stands for the remembered state. */
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

/** These move the remembered state of a stopped order. The others move the order itself or are refused. */
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

/** A stopped order that had come to its end stays uncancelled: there is nothing to give back. */
const ended: ReadonlySet<OrderState> = new Set(["COMPLETED", "CANCELLED", "EXPIRED"]);

/** Where the trigger leads from here, or what else would be allowed. Total: every standing and trigger has an answer. */
export function transition(from: OrderStatus, trigger: OrderTrigger): Transition {
  const to = target(from, trigger);
  return to === undefined ? { ok: false, state: from.state, allowed: allowedTriggers(from) } : { ok: true, to };
}

/** What can happen to an order that stands here. */
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

/** The state that counts for what the order's business has reached: the remembered one of a stopped order. */
export function effectiveState({ state, resume }: OrderStatus): OrderState {
  return resume ?? state;
}
