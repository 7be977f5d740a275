import { expect, test } from "@jest/globals";
import { cancelLines } from "./cancel-lines.ts";
import { advance, command, derivedTransitions, linesCancelled, note } from "./changes.ts";
import { newOrder } from "./new-order.ts";
import { dueOf, type Order } from "./order.ts";
import { effectiveState, type OrderTrigger } from "./order-state.ts";
import { type Parcel, withParcels } from "./parcels.ts";
import { holdsMoney, paymentStateOf } from "./payment-state.ts";

/**
 * Model of everything that can happen to an order of two units: API calls, Docket's own steps, and external events.
 * Moves use the domain's own tables; the decisions of other services are described beside them.
 */
interface Situation {
  readonly order: Order;
  readonly parcels: readonly Parcel[];
}

type Move = (situation: Situation) => Situation | undefined;

const moment = { actor: "test", at: 1 };
const happening = { type: "SomethingHappened", message: "" };

const { order: placed } = newOrder({
  tenant: "t1",
  id: "o1",
  externalId: "",
  currency: "EUR",
  customer: { id: "c1", displayName: "", email: "", phone: "" },
  shippingAddress: {
    recipient: "",
    addressLines: [],
    locality: "",
    administrativeArea: "",
    postalCode: "",
    regionCode: "GB",
  },
  lines: [
    {
      id: "1",
      sku: "TEA",
      title: "Tea",
      quantity: 2,
      unitPrice: 1n,
      discount: 0n,
      discountRate: "",
      total: 2n,
      quantityShipped: 0,
      quantityDelivered: 0,
      quantityCancelled: 0,
    },
  ],
  totals: { subtotal: 2n, discountTotal: 0n, shippingFee: 0n, total: 2n },
  capture: "AUTOMATIC",
  fulfillment: "MANUAL",
  paymentProvider: "",
  carrier: "",
  labels: {},
  note: "",
  paymentDeadlineAt: 1,
  at: 0,
  actor: "test",
});

const withConsequences = (order: Order, parcels: readonly Parcel[]): Situation => {
  const counted = note(order, { ...happening, lines: withParcels(order.lines, parcels) }, moment).order;
  return { order: derivedTransitions(counted, moment).at(-1)?.order ?? counted, parcels };
};
const underWay = (parcels: readonly Parcel[]) => parcels.filter(({ over, delivered }) => !over && !delivered);
const shippable = ({ state }: Order) => state === "CONFIRMED" || state === "FULFILLING";
const changing =
  (change: (parcel: Parcel) => Parcel): Move =>
  ({ order, parcels }) => {
    const [first] = underWay(parcels);
    return (
      first &&
      withConsequences(
        order,
        parcels.map((it) => (it === first ? change(it) : it)),
      )
    );
  };
const asking =
  (trigger: OrderTrigger, allowed: (situation: Situation) => boolean = () => true): Move =>
  (before) => {
    const asked = allowed(before) ? command(before.order, trigger, happening, moment) : undefined;
    return asked?.ok ? withConsequences(asked.change.order, before.parcels) : undefined;
  };
const happens =
  (trigger: OrderTrigger, when: (situation: Situation) => boolean): Move =>
  (before) =>
    when(before) ? { ...before, order: advance(before.order, trigger, happening, moment).order } : undefined;
const paying =
  (captured: bigint, refunded: bigint): Move =>
  ({ order, parcels }) => {
    const funds = { authorized: 0n, captured, refunded };
    const patch = { ...funds, paymentState: paymentStateOf(dueOf(order), funds) };
    return withConsequences(note(order, { ...happening, patch }, moment).order, parcels);
  };

const people: Readonly<Record<string, Move>> = {
  HoldOrder: asking("HOLD"),
  ReleaseOrder: asking("RELEASE"),
  // The logistics service rejects it while a parcel is in transit or delivered.
  CancelOrder: asking("CANCEL", ({ parcels }) => parcels.every(({ over }) => over)),
  CancelOrderLines: ({ order, parcels }) => {
    if (!["CONFIRMED", "FULFILLING"].includes(effectiveState(order)) || order.linesSagaId !== undefined) {
      return undefined;
    }
    const shipped = new Map([["1", parcels.filter(({ over }) => !over).length]]);
    const outcome = cancelLines(order.lines, shipped, [{ lineId: "1", quantity: 1 }]);
    if (outcome.kind !== "cancelled") {
      return undefined;
    }
    const patch = { cancelledTotal: order.cancelledTotal + outcome.amount, linesSagaId: "s2" };
    return { order: linesCancelled(order, { ...happening, lines: outcome.lines, patch }, moment).order, parcels };
  },
  CreateShipment: ({ order, parcels }) => {
    const [line] = order.lines;
    const left = line ? line.quantity - line.quantityCancelled - parcels.filter(({ over }) => !over).length : 0;
    const parcel = { id: `${parcels.length}`, over: false, delivered: false, lines: [{ lineId: "1", quantity: 1 }] };
    return shippable(order) && left > 0 && parcels.length < 4
      ? withConsequences(order, [...parcels, parcel])
      : undefined;
  },
  CloseShipment: changing((parcel) => ({ ...parcel, over: true })),
  RefundPayment: (before) =>
    holdsMoney(before.order) ? paying(before.order.captured, before.order.captured)(before) : undefined,
};

const docket: Readonly<Record<string, Move>> = {
  "the saga opens the payment": happens("AWAIT_PAYMENT", ({ order }) => effectiveState(order) === "PLACING"),
  "the saga commits the stock": happens(
    "CONFIRM",
    ({ order }) => effectiveState(order) === "AWAITING_PAYMENT" && order.captured > 0n,
  ),
  "the saga undoes the order": happens("END_CANCEL", ({ order }) => effectiveState(order) === "CANCELLING"),
  "the saga gives cancelled lines back": ({ order, parcels }) =>
    order.linesSagaId === undefined
      ? undefined
      : withConsequences(note(order, { ...happening, patch: { linesSagaId: undefined } }, moment).order, parcels),
};

const outside: Readonly<Record<string, Move>> = {
  "the shopper pays": (before) => (before.order.state === "AWAITING_PAYMENT" ? paying(2n, 0n)(before) : undefined),
  "the time to pay is over": happens(
    "EXPIRE",
    ({ order }) => order.state === "AWAITING_PAYMENT" && order.captured === 0n,
  ),
  "a parcel arrives": changing((parcel) => ({ ...parcel, delivered: true })),
  "something fails for good": happens("FAIL", ({ order }) => order.state !== "NEEDS_ATTENTION"),
};

/** A key of the parts of a situation that determine its successors. */
const keyOf = ({ order, parcels }: Situation) =>
  [
    order.state,
    order.resume,
    order.captured,
    order.refunded,
    order.linesSagaId,
    order.lines[0]?.quantityCancelled,
    parcels.map(({ over, delivered }) => (over ? "over" : delivered ? "delivered" : "under way")).sort(),
  ].join(" ");

/** Every reachable situation, by its key. */
function reachable(moves: readonly Move[]): Map<string, Situation> {
  const start: Situation = { order: placed, parcels: [] };
  const found = new Map([[keyOf(start), start]]);
  for (const situation of found.values()) {
    for (const next of moves.flatMap((move) => move(situation) ?? [])) {
      const key = keyOf(next);
      if (!found.has(key)) {
        found.set(key, next);
      }
    }
  }
  return found;
}

/** The keys of reachable situations from which these moves never reach an end. */
function stuck(situations: ReadonlyMap<string, Situation>, moves: readonly Move[]): string[] {
  const into = new Map<string, string[]>();
  for (const [key, situation] of situations) {
    for (const next of moves.flatMap((move) => move(situation) ?? [])) {
      into.set(keyOf(next), [...(into.get(keyOf(next)) ?? []), key]);
    }
  }
  const ending = new Set([...situations].filter(([, situation]) => isOver(situation)).map(([key]) => key));
  for (const key of ending) {
    for (const before of into.get(key) ?? []) {
      ending.add(before);
    }
  }
  return [...situations.keys()].filter((key) => !ending.has(key));
}

const isOver = ({ order }: Situation) => ["COMPLETED", "CANCELLED", "EXPIRED"].includes(order.state);
const movesOf = (...tables: Readonly<Record<string, Move>>[]) => tables.flatMap((table) => Object.values(table));

test("from every reachable situation, API calls and Docket alone lead to an end", () => {
  const situations = reachable(movesOf(people, docket, outside));
  expect(new Set([...situations.values()].map(({ order }) => order.state)).size).toBe(10);
  expect(stuck(situations, movesOf(people, docket))).toEqual([]);
});

test("without closing shipments and cancelling lines, lost parcels would keep an order open forever", () => {
  const { CloseShipment: _close, CancelOrderLines: _lines, ...rest } = people;
  const situations = reachable(movesOf(rest, docket, outside));
  expect(stuck(situations, movesOf(rest, docket))).toContain("FULFILLING  2 0  0 delivered,under way");
});
