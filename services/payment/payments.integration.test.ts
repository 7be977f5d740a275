import { createHash } from "node:crypto";
import { expect, test } from "@jest/globals";
import { Payment_State, Refund_State } from "../../gen/docket/payment/v1/payment_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { cents, eur, type RunningPayments, startPayments } from "./testing/running-payments.ts";

describeEachDatabase("the payment service", (open) => {
  const start = async (...more: Parameters<typeof startPayments> extends [string, ...infer Rest] ? Rest : never) =>
    startPayments((await open()).url, ...more);

  const name = "orders/o1/payments/1";
  const isIn = (running: RunningPayments, state: Payment_State) => async () =>
    (await running.get(name)).state === state;
  const names = (running: RunningPayments) => running.events.map((event) => event.name);

  test("captures the money at once with automatic capture", async () => {
    await using world = await start();
    const opened = await world.open(name, "tok_success");
    expect(opened).toMatchObject({
      name,
      state: Payment_State.CREATED,
      provider: "sandbox",
      captureAutomatically: true,
    });
    await until(isIn(world, Payment_State.CAPTURED));
    const payment = await world.get(name);
    expect(cents(payment.capturedAmount)).toBe(10_000);
    await until(() => world.events.length > 0);
    expect(world.events).toMatchObject([{ name: "PaymentCaptured", aggregate: "orders/o1", tenant: "t1" }]);
    expect(world.events[0]?.payment).toMatchObject({ name, state: Payment_State.CAPTURED, etag: payment.etag });
    await world.audit();
  });

  test("captures in parts, up to the authorized amount", async () => {
    await using world = await start();
    await world.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(world, Payment_State.AUTHORIZED));
    const first = await world.payments.capturePayment({ name, amount: eur(4_000) });
    expect([first.state, cents(first.capturedAmount)]).toEqual([Payment_State.CAPTURED, 4_000]);
    await expect(world.payments.capturePayment({ name, amount: eur(6_001) })).rejects.toThrow(
      "orders/o1/payments/1: 60.01 EUR was requested, 60.00 EUR is left",
    );
    const rest = await world.payments.capturePayment({ name });
    expect(cents(rest.capturedAmount)).toBe(10_000);
    await expect(world.payments.capturePayment({ name })).rejects.toThrow("0.00 EUR is left");
    await until(() => world.events.length === 3);
    expect(names(world)).toEqual(["PaymentAuthorized", "PaymentCaptured", "PaymentCaptured"]);
    await world.audit();
  });

  test("is FAILED when the card is declined, in the provider's words", async () => {
    await using world = await start();
    const declined = await world.open(name, "tok_decline");
    expect(declined).toMatchObject({ state: Payment_State.FAILED, failureMessage: "the card was declined" });
    const unknown = await world.open("orders/o1/payments/2", "tok_nonsense");
    expect(unknown.failureMessage).toContain("tok_success, tok_decline, tok_timeout");
    await until(() => world.events.length === 2);
    expect(names(world)).toEqual(["PaymentFailed", "PaymentFailed"]);
  });

  test("returns the same payment for a repeated opening, and rejects other terms under its name", async () => {
    await using world = await start();
    const [a, b] = await Promise.all([world.open(name, "tok_timeout"), world.open(name, "tok_timeout")]);
    expect(b.providerReference).toBe(a.providerReference);
    const again = await world.open(name, "tok_timeout");
    expect(again.providerReference).toBe(a.providerReference);
    await expect(world.open(name, "tok_timeout", { amount: eur(1) })).rejects.toThrow("opened with another amount");
    expect(await world.sandbox.db.kysely.selectFrom("payments").select("reference").execute()).toHaveLength(1);
  });

  test("sends the shopper to the sandbox's page, whose buttons pay or decline", async () => {
    await using world = await start();
    const opened = await world.open(name, "");
    expect(opened.state).toBe(Payment_State.REQUIRES_ACTION);
    const { clientSecret, redirectUrl } = opened;
    // Random, and not derived from an id, which could be guessed from another id of the same millisecond.
    expect(clientSecret).toMatch(/^sbx_secret_[0-9a-f]{32}$/);
    expect(redirectUrl).toBe(`${world.publicUrl}/v1/sandboxPayments/${clientSecret}`);
    let header = new Headers();
    const page = await world.sandbox.payments.getSandboxPaymentPage(
      { clientSecret },
      { onHeader: (sent) => (header = sent) },
    );
    expect(page.contentType).toBe("text/html; charset=utf-8");
    const html = Buffer.from(page.data).toString();
    expect(html).toContain("100.00 EUR");
    expect(header.get("cache-control")).toBe("no-store");
    expect(header.get("referrer-policy")).toBe("no-referrer");
    for (const tag of ["script", "style"]) {
      const text = new RegExp(`<${tag}>(.*)</${tag}>`, "s").exec(html)?.[1] ?? "";
      const hash = createHash("sha256").update(text).digest("base64");
      expect(header.get("content-security-policy")).toContain(`${tag}-src 'sha256-${hash}'`);
    }
    await world.sandbox.payments.completeSandboxPayment({ clientSecret });
    await world.sandbox.payments.completeSandboxPayment({ clientSecret, decline: true });
    await until(isIn(world, Payment_State.CAPTURED));
    expect((await world.get(name)).clientSecret).toBe("");
    expect(
      Buffer.from((await world.sandbox.payments.getSandboxPaymentPage({ clientSecret })).data).toString(),
    ).toContain("no longer open");
    await expect(world.sandbox.payments.completeSandboxPayment({ clientSecret: "sbx_nobody" })).rejects.toThrow(
      "does not exist",
    );
  });

  test("refunds in parts, up to the captured amount", async () => {
    await using world = await start();
    await world.open(name, "tok_success");
    await until(isIn(world, Payment_State.CAPTURED));
    const first = await world.payments.refundPayment({ name, amount: eur(3_000), reason: "broken" });
    expect(first.refunds).toMatchObject([{ id: "1", state: Refund_State.PENDING, reason: "broken" }]);
    await expect(world.payments.refundPayment({ name, amount: eur(7_001) })).rejects.toThrow("70.00 EUR is left");
    await world.payments.refundPayment({ name });
    await until(async () => cents((await world.get(name)).refundedAmount) === 10_000);
    await expect(world.payments.refundPayment({ name })).rejects.toThrow("0.00 EUR is left");
    await until(() => world.events.length === 3);
    expect(names(world)).toEqual(["PaymentCaptured", "PaymentRefunded", "PaymentRefunded"]);
    await world.audit();
  });

  test("reports a failed refund and allows another one", async () => {
    await using world = await start();
    await world.open(name, "tok_refund_fails");
    await until(isIn(world, Payment_State.CAPTURED));
    await world.payments.refundPayment({ name });
    await until(async () => (await world.get(name)).refunds[0]?.state === Refund_State.FAILED);
    const again = await world.payments.refundPayment({ name });
    expect(again.refunds.map((refund) => refund.id)).toEqual(["1", "2"]);
    await until(() => world.events.length === 3);
    expect(names(world)).toEqual(["PaymentCaptured", "RefundFailed", "RefundFailed"]);
    expect((await world.get(name)).refunds[1]?.failureMessage).toBe("the account is closed");
    await world.audit();
  });

  test("voids the uncaptured amount, at the provider too", async () => {
    await using world = await start();
    await world.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(world, Payment_State.AUTHORIZED));
    expect((await world.payments.voidPayment({ name })).state).toBe(Payment_State.VOIDED);
    await expect(world.payments.capturePayment({ name })).rejects.toThrow("the payment is VOIDED; that allows nothing");
    await expect(world.payments.voidPayment({ name })).rejects.toThrow("the payment is VOIDED");
    const steps = await world.sandbox.db.kysely.selectFrom("payment_steps").select("kind").execute();
    expect(steps.map(({ kind }) => kind)).toContain("voided");
  });

  test("returns the same response for a repeated key and rejects the key for another request", async () => {
    await using world = await start();
    await world.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(world, Payment_State.AUTHORIZED));
    const capture = { name, amount: eur(4_000), requestId: "k1" };
    const answers = await Promise.all(Array.from({ length: 8 }, () => world.payments.capturePayment(capture)));
    expect(new Set(answers.map(({ etag }) => etag)).size).toBe(1);
    expect(cents((await world.get(name)).capturedAmount)).toBe(4_000);
    await expect(world.payments.capturePayment({ ...capture, amount: eur(1) })).rejects.toThrow(
      "used for another request",
    );
    const refund = { name, amount: eur(1_000), requestId: "k2" };
    await expect(world.payments.refundPayment({ ...refund, requestId: "k1" })).rejects.toThrow(
      "used for another request",
    );
    await world.payments.refundPayment(refund);
    await world.payments.refundPayment(refund);
    expect((await world.get(name)).refunds).toHaveLength(1);
    await until(async () => cents((await world.get(name)).refundedAmount) === 1_000);
    await world.audit();
  });

  test("captures less than requested if the provider does", async () => {
    await using world = await start();
    await world.open(name, "tok_partial");
    await until(isIn(world, Payment_State.CAPTURED));
    expect(cents((await world.get(name)).capturedAmount)).toBe(5_000);
    await world.audit();
  });

  // Regression: a payment that expired automatically could no longer be paid when its order was released from hold.
  test("expires only when its owner requests it, and records late payments", async () => {
    await using world = await start({ sandbox: { lateMs: 600 } });
    const ttl = { seconds: 0n, nanos: 200_000_000 };
    await world.open(name, "tok_late_success", { ttl });
    await world.open("orders/o2/payments/1", "tok_timeout", { ttl });
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect((await world.get(name)).state).toBe(Payment_State.CREATED);
    await world.payments.settlePayment({ name, keepLateMoney: true });
    await world.payments.settlePayment({ name: "orders/o2/payments/1", keepLateMoney: true });
    await until(isIn(world, Payment_State.EXPIRED));
    await until(isIn(world, Payment_State.CAPTURED));
    await until(() => world.events.length === 3);
    expect(names(world).sort()).toEqual(["PaymentCaptured", "PaymentExpired", "PaymentExpired"]);
    const voided = await world.db.kysely
      .selectFrom("payments")
      .select(["voided", "state"])
      .orderBy("order_id")
      .execute();
    expect(voided).toEqual([
      { voided: 0, state: "CAPTURED" },
      { voided: 1, state: "EXPIRED" },
    ]);
    await world.audit();
  });

  test("polls the provider for a payment's state when no callback arrives", async () => {
    const fetch = async () => new Response(null, { status: 500 });
    await using world = await start({ reconcileAfterMs: 50, sandbox: { fetch } });
    await world.open(name, "tok_success");
    await until(isIn(world, Payment_State.CAPTURED));
    await world.payments.refundPayment({ name });
    await until(async () => cents((await world.get(name)).refundedAmount) === 10_000);
    expect(world.statuses).toEqual([]);
    await world.audit();
  });

  test("lists the payments of an order and of all, the newest first, page by page", async () => {
    await using world = await start();
    for (const [order, token] of [
      ["o1", "tok_timeout"],
      ["o2", "tok_decline"],
      ["o1", "tok_decline"],
    ] as const) {
      const nth = (await world.payments.listPayments({ parent: `orders/${order}` })).payments.length + 1;
      await world.open(`orders/${order}/payments/${nth}`, token);
    }
    const all = await world.payments.listPayments({ parent: "orders/-", pageSize: 2 });
    expect(all.payments.map((payment) => payment.name)).toEqual(["orders/o1/payments/2", "orders/o2/payments/1"]);
    const rest = await world.payments.listPayments({ parent: "orders/-", pageSize: 2, pageToken: all.nextPageToken });
    expect(rest.payments.map((payment) => payment.name)).toEqual(["orders/o1/payments/1"]);
    expect(rest.nextPageToken).toBe("");
    const failed = await world.payments.listPayments({ parent: "orders/o1", filter: "state = FAILED" });
    expect(failed.payments.map((payment) => payment.name)).toEqual(["orders/o1/payments/2"]);
    const others = await world.as({ kind: "service", tenant: "t2" }).listPayments({ parent: "orders/-" });
    expect(others.payments).toEqual([]);
    await expect(world.payments.listPayments({ parent: "orders/-", filter: "colour = red" })).rejects.toThrow("colour");
  });

  test("shows the amounts of a payment that was settled before it was opened", async () => {
    await using world = await start();
    await world.payments.settlePayment({ name, reason: "order cancelled", amount: eur(10_000) });
    const amounts = { amount: eur(10_000), authorizedAmount: eur(0), capturedAmount: eur(0), refundedAmount: eur(0) };
    expect((await world.payments.listPayments({ parent: "orders/o1" })).payments).toMatchObject([
      { name, state: Payment_State.VOIDED, ...amounts },
    ]);
    await expect(world.open(name, "tok_success")).rejects.toThrow("voided");
    await world.audit();
  });

  test("reports all violations of an opening at once", async () => {
    await using world = await start();
    const wrong = world.open(name, "x".repeat(1025), { amount: eur(0), ttl: { seconds: -1n, nanos: 0 } });
    await expect(wrong).rejects.toThrow(/amount: must be more than 0.*ttl: must be.*payment_token: must be/);
    await expect(world.open(name, "", { provider: "nobody" })).rejects.toThrow("Known payment providers: sandbox");
    await expect(world.get(name)).rejects.toThrow("orders/o1/payments/1 does not exist");
  });

  test("rejects callers without the required scope", async () => {
    await using world = await start();
    await world.open(name, "tok_timeout");
    const reader = world.as({ scopes: new Set(["payments.read"]) });
    expect((await reader.getPayment({ name })).name).toBe(name);
    await expect(reader.voidPayment({ name })).rejects.toThrow("permission_denied");
    await expect(world.as({ scopes: new Set(["admin"]) }).settlePayment({ name })).rejects.toThrow("permission_denied");
    await expect(world.anybody.getPayment({ name })).rejects.toThrow("unauthenticated");
  });
});
