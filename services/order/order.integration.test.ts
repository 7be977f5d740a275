import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { Saga_State } from "../../gen/docket/operations/v1/operations_pb.js";
import { CancelReason, Order_State, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { until } from "../runtime/testing/until.ts";
import { eur } from "./testing/eur.ts";
import { type RunningOrders, startOrders } from "./testing/running-orders.ts";

const wait = { seconds: 10n };

const typesOf = async (world: RunningOrders, name: string) => (await world.timeline(name)).map(({ type }) => type);

describeEachDatabase("the order service", (open) => {
  const start = async (config: Parameters<typeof startOrders>[1] = {}) => {
    const { url } = await open<unknown>();
    return startOrders(url, config);
  };

  test("brings an order from placing to delivery", async () => {
    await using world = await start();
    const placed = await world.place({ externalId: "A-1" });
    expect(placed).toMatchObject({
      state: Order_State.PLACING,
      paymentState: PaymentState.UNPAID,
      total: eur(900),
      subtotal: eur(900),
      lineItems: [{ id: "1", sku: "TEA", title: "The TEA", unitPrice: eur(450), total: eur(900) }],
    });
    const { name } = placed;
    const awaiting = await world.reaches(name, "AWAITING_PAYMENT");
    expect(awaiting.paymentAction).toMatchObject({ payment: `${name}/payments/1`, clientSecret: "secret" });

    await world.payment.capture(`${name}/payments/1`, 900);
    const confirmed = await world.reaches(name, "CONFIRMED");
    expect(confirmed.paymentState).toBe(PaymentState.PAID);
    expect(confirmed.paymentAction).toBeUndefined();
    await until(() => world.logistics.calls.length > 0);

    await world.logistics.created("t1", `${name}/shipments/1`, { "1": 2 });
    await world.reaches(name, "FULFILLING");
    await world.logistics.delivered("t1", `${name}/shipments/1`);
    const completed = await world.reaches(name, "COMPLETED");
    expect(completed.lineItems[0]).toMatchObject({ quantityShipped: 2, quantityDelivered: 2 });
    expect(await typesOf(world, name)).toEqual([
      "OrderPlaced",
      "StockReserved",
      "PaymentOpened",
      "PaymentCaptured",
      "OrderConfirmed",
      "ShipmentCreated",
      "OrderFulfilling",
      "ShipmentDelivered",
      "OrderCompleted",
    ]);
    expect(await refusal(world.orders.cancelOrder({ name }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "ORDER_STATE",
      metadata: { state: "COMPLETED" },
    });
  });

  test("reports short stock to a waiting caller, and keeps the order", async () => {
    await using world = await start();
    world.inventory.put("RARE", 100, 3);
    const error = await refusal(world.place({ lineItems: [{ sku: "RARE", quantity: 5 }] }, { wait }));
    expect(error).toMatchObject({
      code: "FailedPrecondition",
      reason: "OUT_OF_STOCK",
      metadata: { sku: "RARE", wanted: "5", available: "3" },
      violations: ["OUT_OF_STOCK items/RARE: wanted 5, available 3"],
    });
    const order = await world.orders.getOrder({ name: error.metadata["order"] ?? "" });
    expect(order).toMatchObject({ state: Order_State.CANCELLED, cancelReason: CancelReason.OUT_OF_STOCK });
  });

  test("of twelve buyers for five items exactly five succeed", async () => {
    await using world = await start();
    world.inventory.put("FEW", 100, 5);
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, () => world.place({ lineItems: [{ sku: "FEW", quantity: 1 }] }, { wait })),
    );
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    expect(world.inventory.stock.get("FEW")).toBe(0n);
  });

  test("executes a key once for many concurrent callers, and rejects it for another request", async () => {
    await using world = await start();
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.place({}, { requestId: "k1" })));
    expect(new Set(answers.map(({ name }) => name)).size).toBe(1);
    for (const answer of answers) {
      expect(answer).toEqual(answers[0]);
    }
    expect((await world.orders.listOrders({})).orders).toHaveLength(1);
    expect(await refusal(world.place({ note: "another" }, { requestId: "k1" }))).toMatchObject({
      code: "AlreadyExists",
      reason: "IDEMPOTENCY_KEY_REUSED",
    });
    world.inventory.put("TEA", 450, 1, { discontinued: true });
    expect(await world.place({}, { requestId: "k1" })).toEqual(answers[0]);
  });

  test("reports every line that cannot be sold, and the order that has the same external_id", async () => {
    await using world = await start();
    const lineItems = [
      { sku: "TEA", quantity: 1 },
      { sku: "NO-1", quantity: 1 },
      { sku: "NO-2", quantity: 1 },
    ];
    expect(await refusal(world.place({ lineItems }))).toMatchObject({
      code: "InvalidArgument",
      violations: [
        expect.stringMatching(/^order\.line_items\[1\]\.sku: /),
        expect.stringMatching(/^order\.line_items\[2\]\.sku: /),
      ],
    });
    const { name } = await world.place({ externalId: "A-1" });
    expect(await refusal(world.place({ externalId: "A-1" }))).toMatchObject({
      code: "AlreadyExists",
      reason: "EXTERNAL_ID_TAKEN",
      metadata: { order: name, external_id: "A-1" },
    });
    expect((await world.orders.lookupOrder({ externalId: "A-1" })).name).toBe(name);
    expect(await refusal(world.orders.lookupOrder({ externalId: "A-2" }))).toMatchObject({ code: "NotFound" });
  });

  test("validates without creating", async () => {
    await using world = await start();
    const checked = await world.place({}, { validateOnly: true, requestId: "k1" });
    expect(checked).toMatchObject({ name: "", total: eur(900) });
    expect((await world.orders.listOrders({})).orders).toEqual([]);
  });

  test("hides other tenants' orders", async () => {
    await using world = await start();
    const { name } = await world.place({ externalId: "A-1" });
    const notFound = { code: "NotFound", reason: "RESOURCE_NOT_FOUND" };
    const { stranger } = world;
    expect(await refusal(stranger.getOrder({ name }))).toMatchObject(notFound);
    expect(await refusal(stranger.batchGetOrders({ names: [name] }))).toMatchObject(notFound);
    expect(await refusal(stranger.lookupOrder({ externalId: "A-1" }))).toMatchObject(notFound);
    expect(await refusal(stranger.cancelOrder({ name }))).toMatchObject(notFound);
    expect(await refusal(stranger.holdOrder({ name }))).toMatchObject(notFound);
    expect(await refusal(stranger.releaseOrder({ name }))).toMatchObject(notFound);
    expect(await refusal(stranger.listOrderEvents({ parent: name }))).toMatchObject(notFound);
    expect(await refusal(stranger.updateOrder({ order: { name, note: "x" } }))).toMatchObject(notFound);
    expect((await stranger.listOrders({})).orders).toEqual([]);
  });

  test("expires an unpaid order, and releases its stock", async () => {
    await using world = await start({ paymentDeadlineMs: 300 });
    const { name } = await world.place({}, { wait });
    const expired = await world.reaches(name, "EXPIRED");
    expect(expired.cancelReason).toBe(CancelReason.CANCEL_REASON_UNSPECIFIED);
    expect(world.inventory.stock.get("TEA")).toBe(1_000_000n);
    expect(world.payment.calls).toContain(`settle ${name}/payments/1 keeping late money`);
  });

  test("resumes an expired order on a late payment", async () => {
    await using world = await start({ paymentDeadlineMs: 200 });
    const { name } = await world.place({}, { wait });
    await world.reaches(name, "EXPIRED");
    await world.payment.capture(`${name}/payments/1`, 900);
    const order = await world.reaches(name, "CONFIRMED");
    expect(order.paymentState).toBe(PaymentState.PAID);
    expect(world.inventory.holds.get(`reservations/${name.split("/")[1]}-2`)?.state).toBe("COMMITTED");
    await world.orders.cancelOrder({ name });
    await world.reaches(name, "CANCELLED");
    expect(world.inventory.stock.get("TEA")).toBe(1_000_000n);
    expect(world.payment.payments.get(`${name}/payments/1`)?.refundedAmount).toEqual(eur(900));
  });

  test("resumes an order that is paid while it expires", async () => {
    await using world = await start({ paymentDeadlineMs: 200 });
    world.payment.control.paysWhenSettled = true;
    const { name } = await world.place({}, { wait });
    expect((await world.reaches(name, "CONFIRMED")).paymentState).toBe(PaymentState.PAID);
    expect(await typesOf(world, name)).toEqual(
      expect.arrayContaining(["OrderExpired", "LatePaymentArrived", "OrderReopened"]),
    );
  });

  test("refunds a late payment when the stock is gone", async () => {
    await using world = await start({ paymentDeadlineMs: 200 });
    const { name } = await world.place({}, { wait });
    await world.reaches(name, "EXPIRED");
    world.inventory.stock.set("TEA", 1n);
    await world.payment.capture(`${name}/payments/1`, 900);
    await until(async () => (await world.orders.getOrder({ name })).paymentState === PaymentState.REFUNDED);
    await until(async () => (await typesOf(world, name)).includes("LatePaymentReturned"));
    expect((await world.orders.getOrder({ name })).state).toBe(Order_State.EXPIRED);
  });

  test("waits for an order with a payment token until it is confirmed", async () => {
    await using world = await start();
    world.payment.control.silent = true;
    const placing = world.place({ paymentToken: "pays", externalId: "W-1" }, { wait: { seconds: 60n } });
    await until(
      async () => (await world.orders.listOrders({ filter: "state = AWAITING_PAYMENT" })).orders.length === 1,
    );
    const { name } = await world.orders.lookupOrder({ externalId: "W-1" });
    await world.payment.capture(`${name}/payments/1`, 900);
    expect((await placing).state).toBeGreaterThanOrEqual(Order_State.CONFIRMED);
    world.payment.control.silent = false;
    const due = await world.place({ paymentToken: "asks the shopper" }, { wait: { seconds: 60n } });
    expect(due).toMatchObject({ state: Order_State.AWAITING_PAYMENT, paymentAction: { clientSecret: "secret" } });
  });

  test("cancels an order whose payment is declined", async () => {
    await using world = await start();
    const declined = await refusal(world.place({ paymentToken: "decline" }, { wait }));
    expect(declined).toMatchObject({ code: "FailedPrecondition", reason: "PAYMENT_FAILED" });
    expect(declined.violations.join()).toContain("declined");
    expect(await world.orders.getOrder({ name: declined.metadata["order"] ?? "" })).toMatchObject({
      state: Order_State.CANCELLED,
      cancelReason: CancelReason.PAYMENT_FAILED,
    });
    const { name } = await world.place({}, { wait });
    await world.payment.fail(`${name}/payments/1`);
    expect((await world.reaches(name, "CANCELLED")).cancelReason).toBe(CancelReason.PAYMENT_FAILED);
    expect(world.inventory.stock.get("TEA")).toBe(1_000_000n);
  });

  test("confirms an order with manual capture when its payment is authorized", async () => {
    await using world = await start();
    const { name } = await world.place({ capture: 2, fulfillment: 2 }, { wait });
    await world.payment.authorize(`${name}/payments/1`, 900);
    expect((await world.reaches(name, "CONFIRMED")).paymentState).toBe(PaymentState.AUTHORIZED);
    await world.logistics.created("t1", `${name}/shipments/a`, { "1": 1 });
    await world.logistics.delivered("t1", `${name}/shipments/a`);
    await world.logistics.created("t1", `${name}/shipments/b`, { "1": 1 });
    await world.logistics.delivered("t1", `${name}/shipments/b`);
    await until(async () => (await world.orders.getOrder({ name })).lineItems[0]?.quantityDelivered === 2);
    expect((await world.orders.getOrder({ name })).state).toBe(Order_State.FULFILLING);
    await world.payment.capture(`${name}/payments/1`, 900);
    await world.reaches(name, "COMPLETED");
    expect(world.logistics.calls).toEqual([]);
  });

  test("does not leave an order confirmed whose payment was voided: it cannot be shipped or released, only cancelled", async () => {
    await using world = await start();
    const { name } = await world.place({ capture: 2, fulfillment: 2 }, { wait });
    await world.payment.authorize(`${name}/payments/1`, 900);
    await world.reaches(name, "CONFIRMED");
    await world.asLogistics.announceShipment({ name });
    const notFunded = { code: "FailedPrecondition", reason: "ORDER_NOT_FUNDED", metadata: { payment_state: "UNPAID" } };
    // The payment service applies it before the order receives the event.
    Object.assign(world.payment.payments.get(`${name}/payments/1`) ?? {}, { capturableAmount: eur(0) });
    expect(await refusal(world.asLogistics.announceShipment({ name }))).toMatchObject(notFunded);
    await world.payment.void(`${name}/payments/1`);
    const stopped = await world.reaches(name, "NEEDS_ATTENTION");
    expect(stopped.attentionMessage).toMatch(/lost its funds.*UNPAID/);
    expect((await world.asLogistics.announceShipment({ name })).state).toBe(Order_State.NEEDS_ATTENTION);
    expect(await refusal(world.orders.releaseOrder({ name }))).toMatchObject(notFunded);
    await world.orders.cancelOrder({ name });
    await world.reaches(name, "CANCELLED");
    expect(world.inventory.stock.get("TEA")).toBe(1_000_000n);
  });

  test("lets a partly refunded order be shipped, and a fully refunded one only be cancelled", async () => {
    await using world = await start();
    const { name } = await world.confirmed({ fulfillment: 2 });
    await world.payment.refund(`${name}/payments/1`, 400);
    await until(async () => (await world.orders.getOrder({ name })).paymentState === PaymentState.PARTIALLY_REFUNDED);
    expect((await world.orders.getOrder({ name })).state).toBe(Order_State.CONFIRMED);
    await world.asLogistics.announceShipment({ name });
    await world.payment.refund(`${name}/payments/1`, 900);
    await world.reaches(name, "NEEDS_ATTENTION");
    await world.orders.cancelOrder({ name });
    await world.reaches(name, "CANCELLED");
  });

  test("ships an authorized order, and completes a delivered order that is never paid once its loss is accepted", async () => {
    await using world = await start();
    const { name } = await world.place({ capture: 2, fulfillment: 2 }, { wait });
    await world.payment.authorize(`${name}/payments/1`, 900);
    await world.reaches(name, "CONFIRMED");
    await world.logistics.created("t1", `${name}/shipments/a`, { "1": 2 });
    await world.reaches(name, "FULFILLING");
    await world.payment.void(`${name}/payments/1`);
    await world.logistics.delivered("t1", `${name}/shipments/a`);
    expect((await world.reaches(name, "NEEDS_ATTENTION")).attentionMessage).toMatch(/not paid for/);
    expect((await world.orders.releaseOrder({ name })).state).toBe(Order_State.COMPLETED);
  });

  test("records overpayments and unbookable money, and refunds what it can", async () => {
    await using world = await start();
    const { name } = await world.place({ fulfillment: 2 }, { wait });
    await world.payment.capture(`${name}/payments/1`, 1_500);
    expect((await world.reaches(name, "CONFIRMED")).paymentState).toBe(PaymentState.OVERPAID);
    await world.payment.mismatch(`${name}/payments/1`, "the provider holds 7.00 USD captured");
    expect((await world.reaches(name, "NEEDS_ATTENTION")).attentionMessage).toContain("7.00 USD captured");
    await world.orders.cancelOrder({ name });
    await world.reaches(name, "CANCELLED");
    expect(world.payment.payments.get(`${name}/payments/1`)?.refundedAmount).toEqual(eur(1_500));
  });

  test("confirms a free order without a payment", async () => {
    await using world = await start();
    world.inventory.put("GIFT", 0);
    const { name } = await world.place({ lineItems: [{ sku: "GIFT", quantity: 1 }] }, { wait });
    expect((await world.reaches(name, "CONFIRMED")).paymentState).toBe(PaymentState.PAID);
    expect(world.payment.calls).toEqual([]);
    await world.logistics.created("t1", `${name}/shipments/1`, { "1": 1 });
    await world.logistics.delivered("t1", `${name}/shipments/1`);
    await world.reaches(name, "COMPLETED");
  });

  test("reserves stock again if the reservation expired before the payment", async () => {
    await using world = await start();
    const { name } = await world.place({}, { wait });
    const id = name.split("/")[1];
    world.inventory.move(`reservations/${id}`, "EXPIRED");
    await world.payment.capture(`${name}/payments/1`, 900);
    await world.reaches(name, "CONFIRMED");
    expect(world.inventory.holds.get(`reservations/${id}-2`)?.state).toBe("COMMITTED");
  });

  test("refunds an order whose stock was sold to others before it was paid", async () => {
    await using world = await start();
    const { name } = await world.place({}, { wait });
    world.inventory.move(`reservations/${name.split("/")[1]}`, "EXPIRED");
    world.inventory.stock.set("TEA", 0n);
    await world.payment.capture(`${name}/payments/1`, 900);
    expect((await world.reaches(name, "CANCELLED")).cancelReason).toBe(CancelReason.OUT_OF_STOCK);
    await until(async () => (await world.orders.getOrder({ name })).paymentState === PaymentState.REFUNDED);
  });

  test("cancels an order that is being placed, awaits payment, is confirmed, on hold or being fulfilled", async () => {
    await using world = await start();
    const placing = await world.place();
    await world.orders.cancelOrder({ name: placing.name, note: "changed my mind" });
    const awaiting = await world.place({}, { wait });
    await world.orders.cancelOrder({ name: awaiting.name });
    const confirmed = await world.confirmed();
    await world.orders.cancelOrder({ name: confirmed.name });
    const held = await world.place({}, { wait });
    await world.orders.holdOrder({ name: held.name });
    await world.orders.cancelOrder({ name: held.name });
    const fulfilling = await world.confirmed({ fulfillment: 2 });
    await world.logistics.created("t1", `${fulfilling.name}/shipments/1`, { "1": 2 });
    await world.reaches(fulfilling.name, "FULFILLING");
    await world.orders.cancelOrder({ name: fulfilling.name, requestId: "c1" });
    for (const { name } of [placing, awaiting, confirmed, held, fulfilling]) {
      expect((await world.reaches(name, "CANCELLED")).cancelReason).toBe(CancelReason.REQUESTED);
      await world.timeline(name);
    }
    expect(world.inventory.stock.get("TEA")).toBe(1_000_000n);
    const repeated = await world.orders.cancelOrder({ name: fulfilling.name, requestId: "c1" });
    expect(repeated.state).toBe(Order_State.CANCELLING);
    expect(await refusal(world.orders.cancelOrder({ name: fulfilling.name }))).toMatchObject({ reason: "ORDER_STATE" });
  });

  test("does not cancel an order in transit", async () => {
    await using world = await start();
    const { name } = await world.confirmed();
    world.logistics.control.underWay = true;
    expect(await refusal(world.orders.cancelOrder({ name }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "SHIPMENT_UNDER_WAY",
    });
    expect((await world.orders.getOrder({ name })).state).toBe(Order_State.CONFIRMED);
  });

  test("compensates everything when the shipment cannot be booked", async () => {
    await using world = await start();
    world.logistics.control.refuse = true;
    const { name } = await world.place({}, { wait });
    await world.payment.capture(`${name}/payments/1`, 900);
    expect((await world.reaches(name, "CANCELLED")).cancelReason).toBe(CancelReason.SHIPMENT_FAILED);
    await until(async () => (await world.orders.getOrder({ name })).paymentState === PaymentState.REFUNDED);
    expect(world.inventory.stock.get("TEA")).toBe(1_000_000n);
  });

  test("retries while another service is unavailable", async () => {
    await using world = await start();
    world.inventory.control.away = 3;
    const order = await world.place({}, { wait });
    expect(order.state).toBe(Order_State.AWAITING_PAYMENT);
  });

  test("needs attention while money is owed, and retries the refund with each release until it has gone back", async () => {
    await using world = await start();
    const { name } = await world.confirmed({ fulfillment: 2 });
    world.payment.control.refusesRefunds = true;
    await world.orders.cancelOrder({ name });
    const stuck = await world.reaches(name, "NEEDS_ATTENTION");
    expect(stuck.attentionMessage).toMatch(/account is closed/);
    expect(await refusal(world.orders.holdOrder({ name }))).toMatchObject({ reason: "ORDER_STATE" });
    await until(async () => (await world.sagaOf(name)).state === Saga_State.COMPENSATED);
    expect(world.inventory.stock.get("TEA")).toBe(1_000_000n);

    const settlements = () => world.payment.calls.filter((call) => call === `settle ${name}/payments/1`).length;
    const before = settlements();
    expect((await world.orders.releaseOrder({ name })).state).toBe(Order_State.NEEDS_ATTENTION);
    await until(async () => settlements() > before && (await world.sagaOf(name)).state === Saga_State.SUCCEEDED);
    const owing = await world.orders.getOrder({ name });
    expect(owing).toMatchObject({ state: Order_State.NEEDS_ATTENTION, paymentState: PaymentState.PAID });
    expect(owing.attentionMessage).toMatch(/account is closed/);

    world.payment.control.refusesRefunds = false;
    await world.orders.releaseOrder({ name });
    expect(await world.reaches(name, "CANCELLED")).toMatchObject({ paymentState: PaymentState.REFUNDED });
    await world.timeline(name);
  });

  test("retries the refund when it is released before its cancellation has ended", async () => {
    await using world = await start();
    const { name } = await world.confirmed({ fulfillment: 2 });
    const stockReleased = Promise.withResolvers<void>();
    world.inventory.control.whenReleased = () => stockReleased.promise;
    world.payment.control.refusesRefunds = true;
    await world.orders.cancelOrder({ name });
    await world.reaches(name, "NEEDS_ATTENTION");
    await until(async () => world.inventory.calls.some((call) => call.startsWith("release ")));

    const releasing = world.orders.releaseOrder({ name });
    const answered = releasing.then(() => "answered");
    expect(await Promise.race([answered, sleep(200, "waiting")])).toBe("waiting");
    stockReleased.resolve();
    await answered;
    const settlements = () => world.payment.calls.filter((call) => call === `settle ${name}/payments/1`).length;
    await until(async () => settlements() === 2);
    await world.reaches(name, "NEEDS_ATTENTION");
  });

  test("refuses a release while its cancellation takes long", async () => {
    await using world = await start();
    const { name } = await world.confirmed({ fulfillment: 2 });
    const stockReleased = Promise.withResolvers<void>();
    world.inventory.control.whenReleased = () => stockReleased.promise;
    world.payment.control.refusesRefunds = true;
    await world.orders.cancelOrder({ name });
    await world.reaches(name, "NEEDS_ATTENTION");
    expect(await refusal(world.orders.releaseOrder({ name }))).toMatchObject({ reason: "CANCELLATION_IN_PROGRESS" });
    stockReleased.resolve();
    await until(async () => (await world.sagaOf(name)).state === Saga_State.COMPENSATED);
  });

  test("needs attention when the refund of an order that was not paid in full in time is refused", async () => {
    await using world = await start({ paymentDeadlineMs: 500 });
    const { name } = await world.place({}, { wait });
    world.payment.control.refusesRefunds = true;
    await world.payment.capture(`${name}/payments/1`, 500);
    const stuck = await world.reaches(name, "NEEDS_ATTENTION");
    expect(stuck.attentionMessage).toMatch(/account is closed/);
    await until(async () => (await world.sagaOf(name)).state === Saga_State.COMPENSATED);
    world.payment.control.refusesRefunds = false;
    await world.orders.releaseOrder({ name });
    expect(await world.reaches(name, "EXPIRED")).toMatchObject({ paymentState: PaymentState.REFUNDED });
  });

  test("reserves the stock of a held order again on release, or rejects the release", async () => {
    await using world = await start();
    const { name } = await world.place({}, { wait });
    const reservation = `reservations/${name.split("/")[1]}`;
    await world.orders.holdOrder({ name });
    await world.orders.releaseOrder({ name });
    expect(await typesOf(world, name)).toEqual(expect.arrayContaining(["OrderReleased", "StockHoldExtended"]));

    await world.orders.holdOrder({ name });
    world.inventory.move(reservation, "EXPIRED");
    await world.expired(name, reservation);
    await until(async () => (await typesOf(world, name)).includes("StockReservationExpired"));
    world.inventory.stock.set("TEA", 1n);
    expect(await refusal(world.orders.releaseOrder({ name }))).toMatchObject({
      reason: "OUT_OF_STOCK",
      metadata: { sku: "TEA", wanted: "2", available: "1" },
    });
    expect((await world.orders.getOrder({ name })).state).toBe(Order_State.ON_HOLD);
    world.inventory.stock.set("TEA", 2n);
    expect((await world.orders.releaseOrder({ name })).state).toBe(Order_State.AWAITING_PAYMENT);
    expect(world.inventory.holds.get(`${reservation}-2`)?.state).toBe("HELD");
    expect((await typesOf(world, name)).at(-1)).toBe("StockReserved");

    await world.orders.cancelOrder({ name });
    await world.reaches(name, "CANCELLED");
    expect(world.inventory.stock.get("TEA")).toBe(2n);
  });

  test("pauses the deadline of a held order, and accepts its payment meanwhile", async () => {
    await using world = await start({ paymentDeadlineMs: 600 });
    const [paid, unpaid] = await Promise.all([world.place({}, { wait }), world.place({}, { wait })]);
    const before = await world.orders.holdOrder({ name: paid.name });
    expect(before).toMatchObject({ state: Order_State.ON_HOLD, heldState: Order_State.AWAITING_PAYMENT });
    await world.orders.holdOrder({ name: unpaid.name });
    expect(await refusal(world.orders.holdOrder({ name: paid.name }))).toMatchObject({ reason: "ORDER_STATE" });
    await new Promise((resolve) => setTimeout(resolve, 800));
    await world.payment.capture(`${paid.name}/payments/1`, 900);
    await until(async () => (await world.orders.getOrder({ name: paid.name })).paymentState === PaymentState.PAID);
    expect((await world.orders.getOrder({ name: unpaid.name })).state).toBe(Order_State.ON_HOLD);
    await world.orders.releaseOrder({ name: paid.name });
    await world.reaches(paid.name, "CONFIRMED");
    const released = await world.orders.releaseOrder({ name: unpaid.name });
    expect(released.state).toBe(Order_State.AWAITING_PAYMENT);
    await world.reaches(unpaid.name, "EXPIRED");
  });
});
