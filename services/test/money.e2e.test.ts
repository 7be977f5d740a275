import { expect, test } from "@jest/globals";
import { Automation, Order_State, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import { Payment_State, Refund_State } from "../../gen/docket/payment/v1/payment_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { money } from "../../web-client/sdk/money.ts";
import { eventually } from "./support/eventually.ts";
import { cents, teaOrder, untilState } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const { CONFIRMED, FULFILLING, COMPLETED, CANCELLED, NEEDS_ATTENTION } = Order_State;
const eur = (amount: string) => money("EUR", amount);

describeEachStorage("money", (createStorage) => {
  const shops = openShops(createStorage);

  /** A confirmed order of two units, 9.00 EUR, without automatic shipping. */
  const confirmed = async (shop: Docket, own: Parameters<typeof teaOrder>[0] = {}) => {
    const order = teaOrder({ fulfillment: Automation.MANUAL, lineItems: [{ sku: "TEA", quantity: 2 }], ...own });
    const { name } = await shop.orders.createOrder({ order });
    await untilState(shop, name, [CONFIRMED]);
    return { name, payment: `${name}/payments/1` };
  };
  const authorized = (shop: Docket) => confirmed(shop, { capture: Automation.MANUAL });
  const untilPaid = (shop: Docket, name: string, state: PaymentState) =>
    eventually(async () => (await shop.orders.getOrder({ name })).paymentState, state);
  const untilRefunds = (shop: Docket, name: string, states: readonly Refund_State[]) =>
    eventually(
      async () => (await shop.payments.getPayment({ name })).refunds.map(({ state }) => state).join(),
      states.join(),
    );

  test("that is captured by hand, in parts, completes the order once all of it is there", async () => {
    const { docket: shop } = await shops.open();
    const { name, payment } = await authorized(shop);
    expect((await shop.orders.getOrder({ name })).paymentState).toBe(PaymentState.AUTHORIZED);
    await shop.shipments.createShipment({ parent: name, shipment: { carrierService: "deliver_now" } });
    const first = await shop.payments.capturePayment({ name: payment, amount: eur("4.00"), requestId: "a" });
    expect(cents(first.capturedAmount)).toBe(400n);
    expect(await shop.payments.capturePayment({ name: payment, amount: eur("4.00"), requestId: "a" })).toEqual(first);
    await untilPaid(shop, name, PaymentState.PARTIALLY_PAID);
    await eventually(async () => (await shop.orders.getOrder({ name })).lineItems[0]?.quantityDelivered, 2);
    expect((await shop.orders.getOrder({ name })).state).toBe(FULFILLING);
    await expect(shop.payments.capturePayment({ name: payment, amount: eur("5.01") })).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "CAPTURE_EXCEEDS_AUTHORIZED",
    });
    await shop.payments.capturePayment({ name: payment });
    expect((await untilState(shop, name, [COMPLETED])).paymentState).toBe(PaymentState.PAID);
  }, 30_000);

  test("that is captured and voided at the same moment is either taken or given up", async () => {
    const { docket: shop } = await shops.open(40);
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const { name, payment } = await authorized(shop);
        const capture = () => shop.payments.capturePayment({ name: payment });
        const giveUp = () => shop.payments.voidPayment({ name: payment });
        const outcomes = await Promise.allSettled(i % 2 === 0 ? [capture(), giveUp()] : [giveUp(), capture()]);
        expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
        const { state, capturedAmount } = await shop.payments.getPayment({ name: payment });
        expect(cents(capturedAmount)).toBe(state === Payment_State.CAPTURED ? 900n : 0n);
        await untilPaid(shop, name, state === Payment_State.CAPTURED ? PaymentState.PAID : PaymentState.UNPAID);
        // An order without its money must not be shipped: a void cancels it.
        await shop.orders.cancelOrder({ name });
        await untilState(shop, name, [CANCELLED]);
      }),
    );
  }, 60_000);

  test("that is given up or goes back before shipping keeps the order from being shipped, from that moment", async () => {
    const { docket: shop } = await shops.open();
    const promised = await authorized(shop);
    await shop.payments.voidPayment({ name: promised.payment });
    const paid = await confirmed(shop);
    await shop.payments.refundPayment({ name: paid.payment });
    await untilRefunds(shop, paid.payment, [Refund_State.SUCCEEDED]);
    for (const { name } of [promised, paid]) {
      const { reason } = await shop.shipments.createShipment({ parent: name }).catch((error) => error);
      expect(["ORDER_NOT_FUNDED", "ORDER_NOT_SHIPPABLE"]).toContain(reason);
      await untilState(shop, name, [NEEDS_ATTENTION]);
      await expect(shop.orders.releaseOrder({ name })).rejects.toMatchObject({ reason: "ORDER_NOT_FUNDED" });
      await shop.orders.cancelOrder({ name });
      await untilState(shop, name, [CANCELLED]);
    }
  }, 60_000);

  test("is captured once by ten at the same moment", async () => {
    const { docket: shop } = await shops.open();
    const { name, payment } = await authorized(shop);
    const capture = () => shop.payments.capturePayment({ name: payment, amount: eur("6.00") });
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, capture));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(cents((await shop.payments.getPayment({ name: payment })).capturedAmount)).toBe(600n);
    await shop.orders.cancelOrder({ name });
    await untilState(shop, name, [CANCELLED]);
    await untilRefunds(shop, payment, [Refund_State.SUCCEEDED]);
  }, 30_000);

  test("goes back in parts, never more than was taken", async () => {
    const { docket: shop } = await shops.open();
    const { name, payment } = await confirmed(shop);
    await shop.shipments.createShipment({ parent: name, shipment: { carrierService: "deliver_now" } });
    await untilState(shop, name, [COMPLETED]);
    const refund = (amount: string, requestId: string) =>
      shop.payments.refundPayment({ name: payment, amount: eur(amount), reason: "scratched", requestId });
    const first = await refund("2.50", "r1");
    expect(await refund("2.50", "r1")).toEqual(first);
    await untilPaid(shop, name, PaymentState.PARTIALLY_REFUNDED);
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => refund("2.00", `race-${i}`)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    await expect(refund("0.51", "r2")).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "REFUND_EXCEEDS_CAPTURED",
    });
    await refund("0.50", "r3");
    await untilRefunds(
      shop,
      payment,
      Array.from({ length: 5 }, () => Refund_State.SUCCEEDED),
    );
    await untilPaid(shop, name, PaymentState.REFUNDED);
    expect((await shop.orders.getOrder({ name })).state).toBe(COMPLETED);
  }, 30_000);

  test("that was partly given back by hand is given back in full by a cancellation, and not twice", async () => {
    const { docket: shop } = await shops.open();
    const { name, payment } = await confirmed(shop);
    await Promise.all([
      shop.payments.refundPayment({ name: payment, amount: eur("3.00") }),
      shop.orders.cancelOrder({ name }),
    ]);
    await untilState(shop, name, [CANCELLED]);
    await untilPaid(shop, name, PaymentState.REFUNDED);
    expect(cents((await shop.payments.getPayment({ name: payment })).refundedAmount)).toBe(900n);
  }, 30_000);

  test("whose refund the provider refuses stays, and everybody can see it", async () => {
    const { docket: shop } = await shops.open();
    const { name, payment } = await confirmed(shop, { paymentToken: "tok_refund_fails" });
    await shop.payments.refundPayment({ name: payment, amount: eur("1.00") });
    await untilRefunds(shop, payment, [Refund_State.FAILED]);
    await eventually(
      async () =>
        (await Array.fromAsync(shop.listOrderEvents({ parent: name }))).some(({ type }) => type === "RefundFailed"),
      true,
    );
    expect((await shop.orders.getOrder({ name })).paymentState).toBe(PaymentState.PAID);
    await shop.shipments.createShipment({ parent: name, shipment: { carrierService: "deliver_now" } });
    await untilState(shop, name, [COMPLETED]);
  }, 30_000);

  test("is not asked for where an order costs nothing", async () => {
    const { docket: shop } = await shops.open();
    const free = teaOrder({ lineItems: [{ sku: "TEA", quantity: 1, discountRate: "1" }] });
    const order = await untilState(shop, (await shop.orders.createOrder({ order: free })).name, [COMPLETED]);
    expect(order.paymentState).toBe(PaymentState.PAID);
    expect(await Array.fromAsync(shop.listPayments({ parent: order.name }))).toEqual([]);
  }, 30_000);
});
