import { timestampMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "@jest/globals";
import { Automation, CancelReason, Order_State, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import { Payment_State, Refund_State } from "../../gen/docket/payment/v1/payment_pb.js";
import type { Docket } from "../../web-client/sdk/docket.ts";
import { eventually } from "./support/eventually.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { openShops } from "./support/shops.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const { COMPLETED, CANCELLED, EXPIRED, NEEDS_ATTENTION, AWAITING_PAYMENT, CONFIRMED } = Order_State;

describeEachStorage("the sandbox's payment tokens", (createStorage) => {
  const shops = openShops(createStorage, { DOCKET_PAYMENT_DEADLINE: "3s", DOCKET_SANDBOX_LATE: "700ms" });

  const place = (shop: Docket, paymentToken: string) => shop.orders.createOrder({ order: teaOrder({ paymentToken }) });
  const stockOf = async (shop: Docket) => {
    const { stockOnHand, stockAvailable } = await shop.items.getItem({ name: "items/TEA" });
    return [Number(stockOnHand), Number(stockAvailable)];
  };
  const typesOf = async (shop: Docket, name: string) => {
    const events = await Array.fromAsync(shop.listOrderEvents({ parent: name }));
    return events.map(({ type }) => type);
  };
  /** The payment of an order that waits for its shopper. */
  const openedPayment = async (shop: Docket, token: string) => {
    const { name } = await place(shop, token);
    const { paymentAction } = await untilState(shop, name, [AWAITING_PAYMENT]);
    return { name, clientSecret: paymentAction?.clientSecret ?? "", redirectUrl: paymentAction?.redirectUrl ?? "" };
  };
  const complete = (redirectUrl: string, decline: boolean) =>
    fetch(`${redirectUrl}:complete`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ decline }),
    });

  test.each(["tok_success", "tok_duplicate", "tok_reordered"])(
    "%s brings an order to its end, paid once and reported once",
    async (token) => {
      const { docket: shop } = await shops.open();
      const { name } = await place(shop, token);
      const order = await untilState(shop, name, [COMPLETED]);
      expect(order).toMatchObject({ paymentState: PaymentState.PAID, paymentToken: "" });
      expect(order.paymentAction).toBeUndefined();
      const types = await typesOf(shop, name);
      for (const once of [
        "PaymentCaptured",
        "OrderConfirmed",
        "ShipmentCreated",
        "ShipmentDelivered",
        "OrderCompleted",
      ]) {
        expect(types.filter((type) => type === once)).toEqual([once]);
      }
      expect(await stockOf(shop)).toEqual([9, 9]);
    },
    30_000,
  );

  test.each(["tok_decline", "nonsense"])(
    "%s cancels it and gives the stock back",
    async (token) => {
      const { docket: shop } = await shops.open();
      const order = await untilState(shop, (await place(shop, token)).name, [CANCELLED]);
      expect(order).toMatchObject({ cancelReason: CancelReason.PAYMENT_FAILED, paymentState: PaymentState.UNPAID });
      const payment = await shop.payments.getPayment({ name: `${order.name}/payments/1` });
      expect(payment.state).toBe(Payment_State.FAILED);
      expect(payment.failureMessage).toContain(token === "nonsense" ? "tok_reordered" : "declined");
      expect(await stockOf(shop)).toEqual([10, 10]);
    },
    30_000,
  );

  test("an unpaid order expires at its deadline, and its stock is released", async () => {
    const { docket: shop } = await shops.open();
    const names = await Promise.all(["tok_timeout", "tok_action", ""].map(async (it) => (await place(shop, it)).name));
    for (const name of names) {
      const { paymentAction } = await untilState(shop, name, [AWAITING_PAYMENT, EXPIRED]);
      expect(paymentAction?.payment).toBe(`${name}/payments/1`);
    }
    expect(await stockOf(shop)).toEqual([10, 7]);
    for (const name of names) {
      const order = await untilState(shop, name, [EXPIRED]);
      const deadline = order.paymentDeadline ? timestampMs(order.paymentDeadline) : 0;
      expect(order.updateTime && timestampMs(order.updateTime)).toBeGreaterThanOrEqual(deadline);
      expect(order.paymentState).toBe(PaymentState.UNPAID);
      expect(order.paymentAction).toBeUndefined();
    }
    expect(await stockOf(shop)).toEqual([10, 10]);
  }, 30_000);

  test("tok_late_success brings an expired order back", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, "tok_late_success");
    await untilState(shop, name, [EXPIRED]);
    expect((await untilState(shop, name, [COMPLETED])).paymentState).toBe(PaymentState.PAID);
    expect(await typesOf(shop, name)).toEqual(
      expect.arrayContaining(["OrderExpired", "LatePaymentArrived", "OrderReopened"]),
    );
    expect(await stockOf(shop)).toEqual([9, 9]);
  }, 30_000);

  test("tok_late_success is refunded when the stock is sold by then", async () => {
    const { docket: shop } = await shops.open(1);
    const { name } = await place(shop, "tok_late_success");
    await untilState(shop, name, [EXPIRED]);
    const faster = await place(shop, "tok_success");
    await untilState(shop, faster.name, [COMPLETED]);
    const refunded = async () => (await shop.orders.getOrder({ name })).paymentState;
    await eventually(refunded, PaymentState.REFUNDED);
    expect(await typesOf(shop, name)).toEqual(expect.arrayContaining(["LatePaymentArrived", "LatePaymentReturned"]));
    expect((await shop.orders.getOrder({ name })).state).toBe(EXPIRED);
    expect(await stockOf(shop)).toEqual([0, 0]);
  }, 30_000);

  test("the shopper pays where redirect_url sends them, once", async () => {
    const { docket: shop } = await shops.open();
    const { name, redirectUrl, clientSecret } = await openedPayment(shop, "tok_action");
    expect(redirectUrl).toContain(clientSecret);
    const page = await fetch(redirectUrl);
    expect(page.headers.get("content-type")).toMatch(/^text\/html/);
    expect(await page.text()).toContain("4.50 EUR");
    const answers = await Promise.all([1, 2, 3].map(() => complete(redirectUrl, false)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect((await complete(redirectUrl, true)).status).toBe(200);
    expect((await untilState(shop, name, [COMPLETED])).paymentState).toBe(PaymentState.PAID);
    expect(await (await fetch(redirectUrl)).text()).toContain("no longer open");
  }, 30_000);

  test("the shopper declines there, and the order is cancelled", async () => {
    const { docket: shop } = await shops.open();
    const { name, redirectUrl } = await openedPayment(shop, "");
    expect((await complete(redirectUrl, true)).status).toBe(200);
    expect((await untilState(shop, name, [CANCELLED])).cancelReason).toBe(CancelReason.PAYMENT_FAILED);
    expect((await complete(redirectUrl, false)).status).toBe(200);
    expect(await stockOf(shop)).toEqual([10, 10]);
  }, 30_000);

  test("tok_partial does not suffice, and is given back", async () => {
    const { docket: shop } = await shops.open();
    const { name } = await place(shop, "tok_partial");
    await untilState(shop, name, [EXPIRED]);
    await eventually(async () => (await shop.orders.getOrder({ name })).paymentState, PaymentState.REFUNDED);
    expect(await stockOf(shop)).toEqual([10, 10]);
  }, 30_000);

  test("tok_refund_fails leaves the cancelled order needing attention", async () => {
    const { docket: shop } = await shops.open();
    const order = teaOrder({ paymentToken: "tok_refund_fails", fulfillment: Automation.MANUAL });
    const { name } = await shop.orders.createOrder({ order });
    await untilState(shop, name, [CONFIRMED]);
    await shop.orders.cancelOrder({ name });
    const stopped = await untilState(shop, name, [NEEDS_ATTENTION]);
    expect(stopped.attentionMessage).toContain("the account is closed");
    const payment = await shop.payments.getPayment({ name: `${name}/payments/1` });
    expect(payment.refunds).toMatchObject([{ state: Refund_State.FAILED, failureMessage: "the account is closed" }]);
    const { orders } = await shop.orders.listOrders({ filter: "state = NEEDS_ATTENTION" });
    expect(orders.map((it) => it.name)).toEqual([name]);
  }, 30_000);

  test("releasing an order whose refund failed retries the refund, and it needs attention while it owes money", async () => {
    // Not one of the shops whose books are looked at: its money is still with the merchant, and its order shows that.
    const { docket: shop } = await shops.docket.tenant("refund-fails");
    await stockTea(shop, 4);
    const wanted = teaOrder({ paymentToken: "tok_refund_fails", fulfillment: Automation.MANUAL });
    const cancelAndRelease = async () => {
      const { name } = await shop.orders.createOrder({ order: wanted });
      await untilState(shop, name, [CONFIRMED]);
      await shop.orders.cancelOrder({ name });
      await untilState(shop, name, [NEEDS_ATTENTION]);
      expect((await shop.orders.releaseOrder({ name })).state).toBe(NEEDS_ATTENTION);
      const payment = () => shop.payments.getPayment({ name: `${name}/payments/1` });
      await eventually(
        async () => (await payment()).refunds.filter(({ state }) => state === Refund_State.FAILED).length,
        2,
      );
      const order = await untilState(shop, name, [NEEDS_ATTENTION]);
      expect(order).toMatchObject({ paymentState: PaymentState.PAID, state: NEEDS_ATTENTION });
      expect(order.attentionMessage).toContain("the account is closed");
    };
    // Many at once, so that some are released before the saga that cancels them has ended.
    await Promise.all(Array.from({ length: 4 }, cancelAndRelease));
    expect(await stockOf(shop)).toEqual([4, 4]);
  }, 60_000);
});
