import { expect, test } from "@jest/globals";
import { someOrder } from "../testing/some-order.ts";
import { cancelLines } from "./cancel-lines.ts";
import { advance, type Change, command, derivedTransitions, note } from "./changes.ts";
import { isBacked } from "./funding.ts";
import { moneyChanged } from "./money-changes.ts";
import type { Order } from "./order.ts";
import { effectiveState, type OrderTrigger } from "./order-state.ts";
import { isGivenUp, owesMoney } from "./owed-money.ts";
import { type Funds, isFunded } from "./payment-state.ts";
import { release } from "./release.ts";

/** Two units at one minor unit each; one order with automatic and one with manual capture. */
const beginnings = (["AUTOMATIC", "MANUAL"] as const).map((capture) => {
  const order = someOrder({ capture, total: 2n });
  return { ...order, lines: order.lines.map((line) => ({ ...line, quantity: 2, unitPrice: 1n, total: 2n })) };
});

const moment = { actor: "test", at: 1_500 };
const happening = { type: "SomethingHappened", message: "Something happened." };

type Move = (order: Order) => Order | undefined;

const ordered = (order: Order) => 2 - (order.lines[0]?.quantityCancelled ?? 0);
const shipped = (order: Order) => order.lines[0]?.quantityShipped ?? 0;
const delivered = (order: Order) => order.lines[0]?.quantityDelivered ?? 0;
const after = (order: Order, changes: readonly Change[]) => changes.at(-1)?.order ?? order;

function ask(order: Order, trigger: OrderTrigger): Order | undefined {
  const commanded = command(order, trigger, happening, moment);
  return commanded.ok
    ? after(order, [commanded.change, ...derivedTransitions(commanded.change.order, moment)])
    : undefined;
}

function pay(order: Order, funds: Partial<Funds>): Order {
  const { authorized, captured, refunded } = order;
  const sums = { authorized, captured, refunded, ...funds };
  return after(order, moneyChanged(order, { ...happening, funds: sums, alarms: false }, moment));
}

function parcel(order: Order, quantities: { readonly shipped: number; readonly delivered: number }): Order {
  const lines = order.lines.map((line) => ({
    ...line,
    quantityShipped: quantities.shipped,
    quantityDelivered: quantities.delivered,
  }));
  const noted = note(order, { ...happening, lines }, moment);
  return after(order, [noted, ...derivedTransitions(noted.order, moment)]);
}

/** Steps of the sagas, which run while the order is not stopped. */
const sagas: Readonly<Record<string, Move>> = {
  openPayment: (order) => (order.state === "PLACING" ? ask(order, "AWAIT_PAYMENT") : undefined),
  confirm: (order) =>
    order.state === "AWAITING_PAYMENT" && isFunded(order.total, order, order.capture === "MANUAL")
      ? ask(order, "CONFIRM")
      : undefined,
  expire: (order) =>
    order.state === "AWAITING_PAYMENT" && !isFunded(order.total, order, order.capture === "MANUAL")
      ? ask(order, "EXPIRE")
      : undefined,
  endCancel: (order) => ask(order, "END_CANCEL"),
  giveMoneyBack: (order) => (owesMoney(order) ? pay(order, { authorized: 0n, refunded: order.captured }) : undefined),
  giveUpPromise: (order) => (isGivenUp(order) && order.authorized > 0n ? pay(order, { authorized: 0n }) : undefined),
  reopen: (order) =>
    order.state === "EXPIRED" && isFunded(order.total, order, order.capture === "MANUAL")
      ? ask(order, "REOPEN")
      : undefined,
  fail: (order) => ask(order, "FAIL"),
  failRefund: (order) =>
    owesMoney(order) && order.state !== "NEEDS_ATTENTION"
      ? advance(order, "FAIL", { ...happening, patch: { attentionMessage: "refused" } }, moment).order
      : undefined,
};

/** Moves of providers, carriers and API callers. */
const methods: Readonly<Record<string, Move>> = {
  authorize: (order) =>
    !isGivenUp(order) && order.authorized + order.captured === 0n ? pay(order, { authorized: 2n }) : undefined,
  payLate: (order) =>
    order.state === "EXPIRED" && order.captured === 0n ? pay(order, { authorized: 0n, captured: 2n }) : undefined,
  capturePart: (order) =>
    order.authorized > 0n && !isGivenUp(order)
      ? pay(order, { authorized: order.authorized - 1n, captured: order.captured + 1n })
      : undefined,
  voidPayment: (order) => (order.authorized > 0n && order.captured === 0n ? pay(order, { authorized: 0n }) : undefined),
  refundPart: (order) => (order.captured > order.refunded ? pay(order, { refunded: order.refunded + 1n }) : undefined),
  createShipment: (order) =>
    (order.state === "CONFIRMED" || order.state === "FULFILLING") && isBacked(order) && shipped(order) < ordered(order)
      ? parcel(order, { shipped: shipped(order) + 1, delivered: delivered(order) })
      : undefined,
  deliver: (order) =>
    delivered(order) < shipped(order)
      ? parcel(order, { shipped: shipped(order), delivered: delivered(order) + 1 })
      : undefined,
  cancelShipment: (order) =>
    delivered(order) < shipped(order)
      ? parcel(order, { shipped: shipped(order) - 1, delivered: delivered(order) })
      : undefined,
  holdOrder: (order) => ask(order, "HOLD"),
  releaseOrder: (order) => {
    const released = release(order, "", moment);
    return released.kind === "released" ? after(order, released.changes) : undefined;
  },
  cancelOrderLines: (order) => {
    const isOpen = ["CONFIRMED", "FULFILLING"].includes(effectiveState(order));
    const outcome = cancelLines(order.lines, new Map([["1", shipped(order)]]), [{ lineId: "1", quantity: 1 }]);
    if (!isOpen || outcome.kind !== "cancelled") {
      return undefined;
    }
    const cancelled = { ...order, lines: outcome.lines, cancelledTotal: order.cancelledTotal + outcome.amount };
    return after(cancelled, derivedTransitions(cancelled, moment));
  },
  cancelOrder: (order) =>
    delivered(order) === 0 ? ask(parcel(order, { shipped: 0, delivered: 0 }), "CANCEL") : undefined,
};

const moves = Object.values({ ...sagas, ...methods });

const keyOf = (order: Order) => {
  const { state, resume, capture, authorized, captured, refunded } = order;
  const quantities = [ordered(order), shipped(order), delivered(order)];
  return [state, resume, capture, authorized, captured, refunded, ...quantities].join();
};

const isOver = (order: Order) => ["COMPLETED", "CANCELLED", "EXPIRED"].includes(order.state) && !owesMoney(order);

/** Every reachable state, with its successors. */
function explore() {
  const found = new Map<string, { readonly order: Order; readonly next: readonly string[] }>();
  const open: Order[] = [...beginnings];
  for (let order = open.pop(); order !== undefined; order = open.pop()) {
    const key = keyOf(order);
    if (found.has(key)) {
      continue;
    }
    const current = order;
    const next = moves.flatMap((move) => move(current) ?? []);
    found.set(key, { order, next: next.map(keyOf) });
    open.push(...next);
  }
  return found;
}

test("from every reachable state, a move leads on to the end", () => {
  const found = explore();
  expect(found.size).toBeGreaterThan(200);
  const leadsOn = new Set([...found].filter(([, { order }]) => isOver(order)).map(([key]) => key));
  for (let before = -1; before !== leadsOn.size; ) {
    before = leadsOn.size;
    for (const [key, { next }] of found) {
      if (next.some((to) => leadsOn.has(to))) {
        leadsOn.add(key);
      }
    }
  }
  expect([...found.keys()].filter((key) => !leadsOn.has(key))).toEqual([]);
});

test("a confirmed order without funds cannot be shipped in any reachable state", () => {
  for (const { order } of explore().values()) {
    if (effectiveState(order) === "CONFIRMED" && !isBacked(order)) {
      expect(order.state).toBe("NEEDS_ATTENTION");
      expect(methods["createShipment"]?.(order)).toBeUndefined();
      expect(release(order, "", moment).kind).toBe("not-funded");
    }
  }
});
