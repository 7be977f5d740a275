import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { someOrder } from "../testing/some-order.ts";
import { advance, command, derivedTransitions, note } from "./changes.ts";
import type { Order } from "./order.ts";
import { type OrderStatus, orderStates, orderTriggers, transition } from "./order-state.ts";

const fresh = someOrder();
const moment = { actor: "service:order", at: 1500 };
const happening = { type: "SomethingHappened", message: "Something happened." };
const withLine = (line: Partial<Order["lines"][number]>): Order["lines"] =>
  fresh.lines.map((it) => ({ ...it, ...line }));

test("a change makes the next version, the next timeline entry and one event", () => {
  const { order, entry, fact } = note(fresh, happening, moment);
  expect(order).toMatchObject({ version: 2, state: "PLACING", updatedAt: 1500 });
  expect(entry).toMatchObject({ sequence: 2, state: "PLACING", actor: "service:order", createdAt: 1500 });
  expect(fact).toBe("UPDATED");
});

test("a clock that jumps back does not move an order's time back", () => {
  expect(note(fresh, happening, { ...moment, at: 1 }).order.updatedAt).toBe(1000);
});

test("a transition that the state does not allow is recorded, or rejected if it was requested", () => {
  expect(advance(fresh, "SHIP", happening, moment)).toMatchObject({ order: { state: "PLACING" }, fact: "UPDATED" });
  expect(command(fresh, "RELEASE", happening, moment)).toEqual({
    ok: false,
    state: "PLACING",
    allowed: ["AWAIT_PAYMENT", "CONFIRM", "HOLD", "CANCEL", "FAIL"],
  });
});

test("the payment action is set exactly while the order awaits payment, the attention message while it needs attention", () => {
  const paymentAction = { payment: "orders/o1/payments/1", clientSecret: "s", redirectUrl: "" };
  const awaiting = advance(fresh, "AWAIT_PAYMENT", { ...happening, patch: { paymentAction } }, moment).order;
  expect(awaiting.paymentAction).toEqual(paymentAction);
  const held = advance(awaiting, "HOLD", happening, moment).order;
  expect(held.paymentAction).toEqual(paymentAction);
  expect(advance(held, "CONFIRM", happening, moment).order).toMatchObject({
    state: "ON_HOLD",
    paymentAction: undefined,
  });
  const failed = advance(awaiting, "FAIL", { ...happening, patch: { attentionMessage: "look" } }, moment).order;
  expect(failed.attentionMessage).toBe("look");
  expect(advance(failed, "RELEASE", happening, moment).order.attentionMessage).toBe("");
});

test("any sequence of changes leaves versions and entries without a gap", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...orderTriggers), { maxLength: 30 }), (triggers) => {
      let order = fresh;
      for (const [i, trigger] of triggers.entries()) {
        const change = advance(order, trigger, happening, moment);
        expect(change.entry.sequence).toBe(i + 2);
        expect(change.order.version).toBe(i + 2);
        expect(change.order.resume === undefined).toBe(!["ON_HOLD", "NEEDS_ATTENTION"].includes(change.order.state));
        order = change.order;
      }
    }),
  );
});

test("every status has an outcome for every trigger", () => {
  const standings: OrderStatus[] = orderStates.flatMap((state): OrderStatus[] =>
    state === "ON_HOLD" || state === "NEEDS_ATTENTION"
      ? orderStates.map((resume) => ({ state, resume }))
      : [{ state, resume: undefined }],
  );
  for (const standing of standings) {
    for (const trigger of orderTriggers) {
      expect(typeof transition(standing, trigger).ok).toBe("boolean");
    }
  }
});

const confirmed: Order = { ...fresh, state: "CONFIRMED", captured: 900n, paymentState: "PAID" };
const statesOf = (order: Order) => derivedTransitions(order, moment).map(({ order: { state } }) => state);

test("shipping, delivering and paying trigger the derived transitions", () => {
  expect(statesOf(confirmed)).toEqual([]);
  expect(statesOf({ ...confirmed, lines: withLine({ quantityShipped: 1 }) })).toEqual(["FULFILLING"]);
  const delivered = withLine({ quantityShipped: 2, quantityDelivered: 2 });
  expect(statesOf({ ...confirmed, lines: delivered })).toEqual(["FULFILLING", "COMPLETED"]);
  const promised: Order = { ...confirmed, capture: "MANUAL", captured: 0n, authorized: 900n };
  expect(statesOf({ ...promised, lines: delivered })).toEqual(["FULFILLING"]);
  expect(statesOf({ ...confirmed, state: "FULFILLING" })).toEqual(["CONFIRMED"]);
  expect(statesOf({ ...confirmed, refunded: 100n, lines: delivered })).toEqual(["FULFILLING", "COMPLETED"]);
});

test("an order that loses its funds needs attention", () => {
  const delivered = withLine({ quantityShipped: 2, quantityDelivered: 2 });
  expect(statesOf({ ...confirmed, captured: 0n })).toEqual(["NEEDS_ATTENTION"]);
  expect(statesOf({ ...confirmed, captured: 0n, lines: delivered })).toEqual(["FULFILLING", "NEEDS_ATTENTION"]);
  expect(statesOf({ ...confirmed, state: "ON_HOLD", resume: "CONFIRMED", refunded: 900n })).toEqual([
    "NEEDS_ATTENTION",
  ]);
  expect(statesOf({ ...confirmed, state: "NEEDS_ATTENTION", resume: "CONFIRMED", captured: 0n })).toEqual([]);
});

test("a held order advances its remembered state", () => {
  const held: Order = { ...confirmed, state: "ON_HOLD", resume: "CONFIRMED", lines: withLine({ quantityShipped: 2 }) };
  const [change] = derivedTransitions(held, moment);
  expect(change?.order).toMatchObject({ state: "ON_HOLD", resume: "FULFILLING" });
});
