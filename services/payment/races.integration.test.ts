import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { Webhook } from "standardwebhooks";
import { Payment_State, PaymentCallback_State, Refund_State } from "../../gen/docket/payment/v1/payment_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { encodeEvent, someReport } from "./testing/payment-values.ts";
import { cents, eur, type RunningPayments, startPayments } from "./testing/running-payments.ts";

const platformAdmin = { kind: "service", tenant: "default", scopes: new Set(["platform.admin"]) } as const;

describeEachDatabase("money under races", (open) => {
  const start = async (...more: Parameters<typeof startPayments> extends [string, ...infer Rest] ? Rest : never) =>
    startPayments((await open()).url, ...more);

  const name = "orders/o1/payments/1";
  const isIn = (world: RunningPayments, state: Payment_State) => async () => (await world.get(name)).state === state;

  /** A signed callback, as a provider would send it. */
  const send = (world: RunningPayments, id: string, body: string, signWith = world.sandbox.paymentSecret) => {
    const now = new Date();
    const headers = {
      "webhook-id": id,
      "webhook-timestamp": `${Math.floor(now.getTime() / 1000)}`,
      "webhook-signature": new Webhook(signWith).sign(id, now, body),
    };
    const data = Buffer.from(body);
    return world.anybody.receivePaymentCallback({ provider: "sandbox", body: { contentType: "x", data } }, { headers });
  };
  const capturedBy = (reference: string, more: Parameters<typeof someReport>[0] = {}) =>
    someReport({ reference, authorized: 10_000n, captured: 10_000n, ...more });

  test("of a concurrent capture and void exactly one happens, here and at the provider", async () => {
    await using world = await start();
    for (let i = 1; i <= 8; i++) {
      const payment = `orders/o${i}/payments/1`;
      await world.open(payment, "tok_success", { captureAutomatically: false });
      await until(async () => (await world.get(payment)).state === Payment_State.AUTHORIZED);
      const outcomes = await Promise.allSettled([
        world.payments.capturePayment({ name: payment }),
        world.payments.voidPayment({ name: payment }),
      ]);
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const { state, providerReference } = await world.get(payment);
      const steps = await world.sandbox.db.kysely
        .selectFrom("payment_steps")
        .select("kind")
        .where("reference", "=", providerReference)
        .where("kind", "in", ["captured", "voided"])
        .execute();
      expect(steps).toEqual([{ kind: state === Payment_State.VOIDED ? "voided" : "captured" }]);
    }
    await world.audit();
  });

  test("concurrent refunds never exceed the captured amount", async () => {
    await using world = await start();
    await world.open(name, "tok_success");
    await until(isIn(world, Payment_State.CAPTURED));
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => world.payments.refundPayment({ name, amount: eur(3_000) })),
    );
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    await until(async () => cents((await world.get(name)).refundedAmount) === 9_000);
    expect((await world.get(name)).refunds.every((refund) => refund.state === Refund_State.SUCCEEDED)).toBe(true);
    await world.audit();
  });

  test("a concurrent refund and settlement refund everything once", async () => {
    await using world = await start();
    await world.open(name, "tok_success");
    await until(isIn(world, Payment_State.CAPTURED));
    await Promise.allSettled([
      world.payments.refundPayment({ name, amount: eur(4_000) }),
      world.payments.settlePayment({ name }),
      world.payments.refundPayment({ name, amount: eur(7_000) }),
    ]);
    await until(async () => cents((await world.get(name)).refundedAmount) === 10_000);
    await world.audit();
  });

  test("a concurrent capture and settlement leave nothing captured", async () => {
    await using world = await start();
    await world.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(world, Payment_State.AUTHORIZED));
    await Promise.allSettled([world.payments.capturePayment({ name }), world.payments.settlePayment({ name })]);
    await until(async () => {
      const payment = await world.get(name);
      return payment.state === Payment_State.VOIDED || cents(payment.refundedAmount) === 10_000;
    });
    await world.audit();
  });

  test("a concurrent opening and settlement leave nothing open", async () => {
    await using world = await start({ sandbox: { delayMs: 0 } });
    for (let i = 1; i <= 6; i++) {
      const payment = `orders/o${i}/payments/1`;
      await Promise.allSettled([world.open(payment, "tok_success"), world.payments.settlePayment({ name: payment })]);
      await until(async () => {
        const { state, capturedAmount, refundedAmount } = await world.get(payment);
        const givenBack = cents(capturedAmount) > 0 && cents(refundedAmount) === cents(capturedAmount);
        return state === Payment_State.VOIDED || givenBack;
      });
    }
    await world.audit();
  });

  test("fifty concurrent repetitions of one callback have one effect and are counted", async () => {
    await using world = await start();
    const { providerReference } = await world.open(name, "tok_timeout");
    const body = encodeEvent("e1", "payment.captured", capturedBy(providerReference));
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(world, "e1", body)));
    expect(answers.every((answer) => Buffer.from(answer.data).toString() === "{}")).toBe(true);
    await until(() => world.events.length > 0);
    expect(world.events.map((event) => event.name)).toEqual(["PaymentCaptured"]);
    const { paymentCallbacks } = await world.as({ kind: "service" }).listPaymentCallbacks({});
    expect(paymentCallbacks).toMatchObject([
      { receiveCount: 50, state: PaymentCallback_State.PROCESSED, payment: name },
    ]);
    const movements = await world.db.kysely.selectFrom("payment_movements").select("kind").execute();
    expect(movements).toHaveLength(2);
    await world.audit();
  });

  test("fifty events with the same content have one effect", async () => {
    await using world = await start();
    const { providerReference } = await world.open(name, "tok_timeout");
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        send(world, `e${i}`, encodeEvent(`e${i}`, "payment.captured", capturedBy(providerReference))),
      ),
    );
    await until(() => world.events.length > 0);
    expect(world.events).toHaveLength(1);
    const { paymentCallbacks } = await world.payments.listPaymentCallbacks({ filter: "state = IGNORED" });
    expect(paymentCallbacks).toHaveLength(49);
    await world.audit();
  });

  test("the sandbox's repeated and reordered callbacks end in the same payment", async () => {
    await using world = await start();
    for (const token of ["tok_duplicate", "tok_reordered"]) {
      const payment = `orders/${token}/payments/1`;
      await world.open(payment, token);
      await until(async () => (await world.get(payment)).state === Payment_State.CAPTURED);
    }
    await until(async () => {
      const rows = await world.sandbox.db.kysely.selectFrom("callbacks").select("due_at").execute();
      return rows.length === 8 && rows.every((row) => row.due_at === null);
    });
    // On a busy machine both callbacks of tok_reordered may be sent at once; then the authorization may arrive first
    // after all.
    const captured = () => world.events.filter((event) => event.name === "PaymentCaptured");
    await until(() => captured().length === 2);
    expect(new Set(captured().map((event) => event.aggregate)).size).toBe(2);
    expect(world.events.filter((event) => event.name !== "PaymentCaptured").length).toBeLessThanOrEqual(1);
    const { paymentCallbacks } = await world.payments.listPaymentCallbacks({});
    expect(paymentCallbacks.map((callback) => callback.receiveCount).sort()).toEqual([1, 1, 6]);
    await world.audit();
  });

  test("a callback with a bad signature is rejected and not stored", async () => {
    await using world = await start();
    const { providerReference } = await world.open(name, "tok_timeout");
    const body = encodeEvent("e1", "payment.captured", capturedBy(providerReference));
    const other = `whsec_${Buffer.alloc(32, 2).toString("base64")}`;
    const error = await send(world, "e1", body, other).catch((reason: unknown) => ConnectError.from(reason));
    expect(error).toMatchObject({ code: Code.Unauthenticated });
    await expect(world.anybody.receivePaymentCallback({ provider: "sandbox" })).rejects.toThrow("unauthenticated");
    await expect(world.anybody.receivePaymentCallback({ provider: "nobody" })).rejects.toThrow("not_found");
    expect(await world.db.kysely.selectFrom("inbound_callbacks").selectAll().execute()).toEqual([]);
    expect((await world.get(name)).state).toBe(Payment_State.CREATED);
  });

  test("a callback with money of another currency is FAILED, and the payment and its settlement report the held money", async () => {
    await using world = await start();
    const { providerReference } = await world.open(name, "tok_timeout");
    const report = capturedBy(providerReference, { amount: { currency: "USD", minor: 10_000n } });
    await send(world, "e1", encodeEvent("e1", "payment.captured", report));
    const { paymentCallbacks } = await world.payments.listPaymentCallbacks({});
    expect(paymentCallbacks).toMatchObject([{ state: PaymentCallback_State.FAILED, payment: name }]);
    expect(paymentCallbacks[0]?.failureMessage).toContain("the currency is USD");
    const payment = await world.get(name);
    expect(cents(payment.capturedAmount)).toBe(0);
    expect(payment.mismatchMessage).toContain("the provider holds 100.00 USD captured");
    await until(() => world.events.some((event) => event.name === "PaymentMismatched"));
    await expect(world.payments.settlePayment({ name })).rejects.toThrow("refund it at the provider");
  });

  test("a callback with an excess amount is booked, and a settlement refunds all of it", async () => {
    await using world = await start();
    const { providerReference } = await world.open(name, "tok_timeout");
    const amount = { currency: "EUR", minor: 15_000n };
    const report = capturedBy(providerReference, { amount, authorized: 15_000n, captured: 15_000n });
    await send(world, "e1", encodeEvent("e1", "payment.captured", report));
    expect(cents((await world.get(name)).capturedAmount)).toBe(15_000);
    // The sandbox has not captured this money, and rejects its refund.
    await expect(world.payments.settlePayment({ name })).rejects.toThrow("150.00 EUR could not be refunded");
    expect((await world.get(name)).refunds.map(({ amount: refunded }) => cents(refunded))).toEqual([15_000]);
  });

  test("a signed but unreadable body is stored as FAILED", async () => {
    await using world = await start();
    await send(world, "e1", '{"type":"payment.captured","payment":7}');
    const all = await world.as(platformAdmin).listPaymentCallbacks({});
    expect(all.paymentCallbacks).toMatchObject([
      { eventId: "e1", eventType: "payment.captured", state: PaymentCallback_State.FAILED },
    ]);
    await send(world, "e2", '{"type":"ping"}');
    const ignored = await world.as(platformAdmin).listPaymentCallbacks({ filter: "event_type = ping" });
    expect(ignored.paymentCallbacks).toMatchObject([{ state: PaymentCallback_State.IGNORED }]);
  });

  test("a callback of an unknown payment is stored, and processed when the payment appears", async () => {
    await using world = await start();
    // Reported by the provider's id alone: by name, the payment would be known from its opening, under another id.
    await send(world, "e1", encodeEvent("e1", "payment.captured", capturedBy("sbx_later")));
    const ofDefault = world.as({ kind: "service", tenant: "default" });
    expect((await ofDefault.listPaymentCallbacks({})).paymentCallbacks).toEqual([]);
    const unknown = await world.as(platformAdmin).listPaymentCallbacks({});
    const unmatched = unknown.paymentCallbacks[0]?.name ?? "";
    await expect(ofDefault.getPaymentCallback({ name: unmatched })).rejects.toThrow("does not exist");
    expect(unknown.paymentCallbacks).toMatchObject([{ state: PaymentCallback_State.RECEIVED }]);
    await world.open(name, "tok_timeout");
    await world.db.kysely.updateTable("payments").set({ provider_reference: "sbx_later" }).execute();
    await until(isIn(world, Payment_State.CAPTURED));
    const [callback] = (await world.payments.listPaymentCallbacks({})).paymentCallbacks;
    expect(callback).toMatchObject({ state: PaymentCallback_State.PROCESSED, payment: name, failureMessage: "" });
    await world.audit();
  });

  test("a callback whose payment never appears finally is FAILED, and can be replayed", async () => {
    await using world = await start({ callbackPatienceMs: 100 });
    await send(world, "e1", encodeEvent("e1", "payment.captured", capturedBy("sbx_later")));
    const operator = world.as(platformAdmin);
    const first = async () => (await operator.listPaymentCallbacks({})).paymentCallbacks[0];
    await until(async () => (await first())?.state === PaymentCallback_State.FAILED);
    const callback = (await first())?.name ?? "";
    await expect(operator.replayPaymentCallback({ name: callback })).rejects.toThrow(
      "no payment is known by sbx_later",
    );
    await operator.openPayment({
      name,
      amount: eur(10_000),
      paymentToken: "tok_timeout",
      captureAutomatically: true,
    });
    await world.db.kysely.updateTable("payments").set({ provider_reference: "sbx_later" }).execute();
    const replayed = await operator.replayPaymentCallback({ name: callback });
    expect(replayed).toMatchObject({ state: PaymentCallback_State.PROCESSED, payment: name });
    expect((await operator.replayPaymentCallback({ name: callback })).state).toBe(PaymentCallback_State.PROCESSED);
    expect((await operator.getPaymentCallback({ name: callback })).receiveCount).toBe(1);
    await expect(world.payments.replayPaymentCallback({ name: callback })).rejects.toThrow("does not exist");
    await world.audit();
  });

  test("an authorization that arrives after its capture changes nothing", async () => {
    await using world = await start();
    const { providerReference } = await world.open(name, "tok_timeout");
    await send(world, "e2", encodeEvent("e2", "payment.captured", capturedBy(providerReference)));
    const after = await world.get(name);
    const authorized = someReport({ reference: providerReference, authorized: 10_000n });
    await send(world, "e1", encodeEvent("e1", "payment.authorized", authorized));
    expect(await world.get(name)).toEqual(after);
    await until(() => world.events.length > 0);
    expect(world.events.map((event) => event.name)).toEqual(["PaymentCaptured"]);
    await world.audit();
  });

  test("a refund that is reported before its capture waits for it", async () => {
    await using world = await start();
    const { providerReference } = await world.open(name, "tok_timeout");
    const refunds = [
      { reference: "r1", amount: { currency: "EUR", minor: 2_000n }, state: "SUCCEEDED" as const, id: "x-r1" },
    ];
    const refund = someReport({ reference: providerReference, refunds });
    await send(world, "e2", encodeEvent("e2", "refund.succeeded", refund));
    expect((await world.get(name)).refunds).toEqual([]);
    await send(world, "e1", encodeEvent("e1", "payment.captured", capturedBy(providerReference)));
    await until(async () => cents((await world.get(name)).refundedAmount) === 2_000);
    await world.audit();
  });

  test("callbacks concurrent with the caller's own operations leave balanced books", async () => {
    await using world = await start({ sandbox: { delayMs: 0 } });
    await Promise.all(
      Array.from({ length: 12 }, async (_, i) => {
        const payment = `orders/o${i}/payments/1`;
        await world.open(payment, i % 2 === 0 ? "tok_duplicate" : "tok_reordered");
        await until(async () => cents((await world.get(payment)).capturedAmount) === 10_000);
        await world.payments.refundPayment({ name: payment, amount: eur(1_000 + i) });
        await world.payments.settlePayment({ name: payment });
        await until(async () => cents((await world.get(payment)).refundedAmount) === 10_000);
      }),
    );
    await world.audit();
  });
});
