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
    await using it = await start();
    const opened = await it.open(name, "tok_success");
    expect(opened).toMatchObject({
      name,
      state: Payment_State.CREATED,
      provider: "sandbox",
      captureAutomatically: true,
    });
    await until(isIn(it, Payment_State.CAPTURED));
    const payment = await it.get(name);
    expect(cents(payment.capturedAmount)).toBe(10_000);
    await until(() => it.events.length > 0);
    expect(it.events).toMatchObject([{ name: "PaymentCaptured", aggregate: "orders/o1", tenant: "t1" }]);
    expect(it.events[0]?.payment).toMatchObject({ name, state: Payment_State.CAPTURED, etag: payment.etag });
    await it.audit();
  });

  test("captures in parts, up to the authorized amount", async () => {
    await using it = await start();
    await it.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(it, Payment_State.AUTHORIZED));
    const first = await it.payments.capturePayment({ name, amount: eur(4_000) });
    expect([first.state, cents(first.capturedAmount)]).toEqual([Payment_State.CAPTURED, 4_000]);
    await expect(it.payments.capturePayment({ name, amount: eur(6_001) })).rejects.toThrow(
      "orders/o1/payments/1: 60.01 EUR was requested, 60.00 EUR is left",
    );
    const rest = await it.payments.capturePayment({ name });
    expect(cents(rest.capturedAmount)).toBe(10_000);
    await expect(it.payments.capturePayment({ name })).rejects.toThrow("0.00 EUR is left");
    await until(() => it.events.length === 3);
    expect(names(it)).toEqual(["PaymentAuthorized", "PaymentCaptured", "PaymentCaptured"]);
    await it.audit();
  });

  test("is FAILED when the card is declined, in the provider's words", async () => {
    await using it = await start();
    const declined = await it.open(name, "tok_decline");
    expect(declined).toMatchObject({ state: Payment_State.FAILED, failureMessage: "the card was declined" });
    const unknown = await it.open("orders/o1/payments/2", "tok_nonsense");
    expect(unknown.failureMessage).toContain("tok_success, tok_decline, tok_timeout");
    await until(() => it.events.length === 2);
    expect(names(it)).toEqual(["PaymentFailed", "PaymentFailed"]);
  });

  test("returns the same payment for a repeated opening, and rejects other terms under its name", async () => {
    await using it = await start();
    const [a, b] = await Promise.all([it.open(name, "tok_timeout"), it.open(name, "tok_timeout")]);
    expect(b.providerReference).toBe(a.providerReference);
    const again = await it.open(name, "tok_timeout");
    expect(again.providerReference).toBe(a.providerReference);
    await expect(it.open(name, "tok_timeout", { amount: eur(1) })).rejects.toThrow("opened with another amount");
    expect(await it.db.kysely.selectFrom("sandbox_payments").select("reference").execute()).toHaveLength(1);
  });

  test("sends the shopper to the sandbox's page, whose buttons pay or decline", async () => {
    await using it = await start();
    const opened = await it.open(name, "");
    expect(opened.state).toBe(Payment_State.REQUIRES_ACTION);
    const { clientSecret, redirectUrl } = opened;
    // Random, and not derived from an id, which could be guessed from another id of the same millisecond.
    expect(clientSecret).toMatch(/^sbx_secret_[0-9a-f]{32}$/);
    expect(redirectUrl).toBe(`${it.publicUrl}/v1/sandboxPayments/${clientSecret}`);
    let header = new Headers();
    const page = await it.shopper.getSandboxPaymentPage({ clientSecret }, { onHeader: (sent) => (header = sent) });
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
    await it.shopper.completeSandboxPayment({ clientSecret });
    await it.shopper.completeSandboxPayment({ clientSecret, decline: true });
    await until(isIn(it, Payment_State.CAPTURED));
    expect((await it.get(name)).clientSecret).toBe("");
    expect(Buffer.from((await it.shopper.getSandboxPaymentPage({ clientSecret })).data).toString()).toContain(
      "not open any more",
    );
    await expect(it.shopper.completeSandboxPayment({ clientSecret: "sbx_nobody" })).rejects.toThrow("does not exist");
  });

  test("refunds in parts, up to the captured amount", async () => {
    await using it = await start();
    await it.open(name, "tok_success");
    await until(isIn(it, Payment_State.CAPTURED));
    const first = await it.payments.refundPayment({ name, amount: eur(3_000), reason: "broken" });
    expect(first.refunds).toMatchObject([{ id: "1", state: Refund_State.PENDING, reason: "broken" }]);
    await expect(it.payments.refundPayment({ name, amount: eur(7_001) })).rejects.toThrow("70.00 EUR is left");
    await it.payments.refundPayment({ name });
    await until(async () => cents((await it.get(name)).refundedAmount) === 10_000);
    await expect(it.payments.refundPayment({ name })).rejects.toThrow("0.00 EUR is left");
    await until(() => it.events.length === 3);
    expect(names(it)).toEqual(["PaymentCaptured", "PaymentRefunded", "PaymentRefunded"]);
    await it.audit();
  });

  test("reports a failed refund and allows another one", async () => {
    await using it = await start();
    await it.open(name, "tok_refund_fails");
    await until(isIn(it, Payment_State.CAPTURED));
    await it.payments.refundPayment({ name });
    await until(async () => (await it.get(name)).refunds[0]?.state === Refund_State.FAILED);
    const again = await it.payments.refundPayment({ name });
    expect(again.refunds.map((refund) => refund.id)).toEqual(["1", "2"]);
    await until(() => it.events.length === 3);
    expect(names(it)).toEqual(["PaymentCaptured", "RefundFailed", "RefundFailed"]);
    expect((await it.get(name)).refunds[1]?.failureMessage).toBe("the account is closed");
    await it.audit();
  });

  test("voids the uncaptured amount, at the provider too", async () => {
    await using it = await start();
    await it.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(it, Payment_State.AUTHORIZED));
    expect((await it.payments.voidPayment({ name })).state).toBe(Payment_State.VOIDED);
    await expect(it.payments.capturePayment({ name })).rejects.toThrow("the payment is VOIDED; that allows nothing");
    await expect(it.payments.voidPayment({ name })).rejects.toThrow("the payment is VOIDED");
    const steps = await it.db.kysely.selectFrom("sandbox_steps").select("kind").execute();
    expect(steps.map(({ kind }) => kind)).toContain("voided");
  });

  test("returns the same response for a repeated key and rejects the key for another request", async () => {
    await using it = await start();
    await it.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(it, Payment_State.AUTHORIZED));
    const capture = { name, amount: eur(4_000), requestId: "k1" };
    const answers = await Promise.all(Array.from({ length: 8 }, () => it.payments.capturePayment(capture)));
    expect(new Set(answers.map(({ etag }) => etag)).size).toBe(1);
    expect(cents((await it.get(name)).capturedAmount)).toBe(4_000);
    await expect(it.payments.capturePayment({ ...capture, amount: eur(1) })).rejects.toThrow(
      "used for another request",
    );
    const refund = { name, amount: eur(1_000), requestId: "k2" };
    await expect(it.payments.refundPayment({ ...refund, requestId: "k1" })).rejects.toThrow("used for another request");
    await it.payments.refundPayment(refund);
    await it.payments.refundPayment(refund);
    expect((await it.get(name)).refunds).toHaveLength(1);
    await until(async () => cents((await it.get(name)).refundedAmount) === 1_000);
    await it.audit();
  });

  test("captures less than requested if the provider does", async () => {
    await using it = await start();
    await it.open(name, "tok_partial");
    await until(isIn(it, Payment_State.CAPTURED));
    expect(cents((await it.get(name)).capturedAmount)).toBe(5_000);
    await it.audit();
  });

  // Regression: a payment that expired automatically could no longer be paid when its order was released from hold.
  test("expires only when its owner requests it, and records late payments", async () => {
    await using it = await start({ sandboxLateMs: 600 });
    const ttl = { seconds: 0n, nanos: 200_000_000 };
    await it.open(name, "tok_late_success", { ttl });
    await it.open("orders/o2/payments/1", "tok_timeout", { ttl });
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect((await it.get(name)).state).toBe(Payment_State.CREATED);
    await it.payments.settlePayment({ name, keepLateMoney: true });
    await it.payments.settlePayment({ name: "orders/o2/payments/1", keepLateMoney: true });
    await until(isIn(it, Payment_State.EXPIRED));
    await until(isIn(it, Payment_State.CAPTURED));
    await until(() => it.events.length === 3);
    expect(names(it).sort()).toEqual(["PaymentCaptured", "PaymentExpired", "PaymentExpired"]);
    const voided = await it.db.kysely.selectFrom("payments").select(["voided", "state"]).orderBy("order_id").execute();
    expect(voided).toEqual([
      { voided: 0, state: "CAPTURED" },
      { voided: 1, state: "EXPIRED" },
    ]);
    await it.audit();
  });

  test("polls the provider for a payment's state when no callback arrives", async () => {
    const fetch = async () => new Response(null, { status: 500 });
    await using it = await start({ reconcileAfterMs: 50 }, { fetch });
    await it.open(name, "tok_success");
    await until(isIn(it, Payment_State.CAPTURED));
    await it.payments.refundPayment({ name });
    await until(async () => cents((await it.get(name)).refundedAmount) === 10_000);
    expect(it.statuses).toEqual([]);
    await it.audit();
  });

  test("lists the payments of an order and of all, the newest first, page by page", async () => {
    await using it = await start();
    for (const [order, token] of [
      ["o1", "tok_timeout"],
      ["o2", "tok_decline"],
      ["o1", "tok_decline"],
    ] as const) {
      const nth = (await it.payments.listPayments({ parent: `orders/${order}` })).payments.length + 1;
      await it.open(`orders/${order}/payments/${nth}`, token);
    }
    const all = await it.payments.listPayments({ parent: "orders/-", pageSize: 2 });
    expect(all.payments.map((it) => it.name)).toEqual(["orders/o1/payments/2", "orders/o2/payments/1"]);
    const rest = await it.payments.listPayments({ parent: "orders/-", pageSize: 2, pageToken: all.nextPageToken });
    expect(rest.payments.map((it) => it.name)).toEqual(["orders/o1/payments/1"]);
    expect(rest.nextPageToken).toBe("");
    const failed = await it.payments.listPayments({ parent: "orders/o1", filter: "state = FAILED" });
    expect(failed.payments.map((it) => it.name)).toEqual(["orders/o1/payments/2"]);
    const others = await it.as({ kind: "service", tenant: "t2" }).listPayments({ parent: "orders/-" });
    expect(others.payments).toEqual([]);
    await expect(it.payments.listPayments({ parent: "orders/-", filter: "colour = red" })).rejects.toThrow("colour");
  });

  test("shows the amounts of a payment that was settled before it was opened", async () => {
    await using it = await start();
    await it.payments.settlePayment({ name, reason: "order cancelled", amount: eur(10_000) });
    const amounts = { amount: eur(10_000), authorizedAmount: eur(0), capturedAmount: eur(0), refundedAmount: eur(0) };
    expect((await it.payments.listPayments({ parent: "orders/o1" })).payments).toMatchObject([
      { name, state: Payment_State.VOIDED, ...amounts },
    ]);
    await expect(it.open(name, "tok_success")).rejects.toThrow("given up");
    await it.audit();
  });

  test("reports all violations of an opening at once", async () => {
    await using it = await start();
    const wrong = it.open(name, "x".repeat(1025), { amount: eur(0), ttl: { seconds: -1n, nanos: 0 } });
    await expect(wrong).rejects.toThrow(/amount: must be more than 0.*ttl: must be.*payment_token: must be/);
    await expect(it.open(name, "", { provider: "nobody" })).rejects.toThrow("Known payment providers: sandbox");
    await expect(it.get(name)).rejects.toThrow("orders/o1/payments/1 does not exist");
  });

  test("rejects callers without the required scope", async () => {
    await using it = await start();
    await it.open(name, "tok_timeout");
    const reader = it.as({ scopes: new Set(["payments.read"]) });
    expect((await reader.getPayment({ name })).name).toBe(name);
    await expect(reader.voidPayment({ name })).rejects.toThrow("permission_denied");
    await expect(it.as({ scopes: new Set(["admin"]) }).settlePayment({ name })).rejects.toThrow("permission_denied");
    await expect(it.anybody.getPayment({ name })).rejects.toThrow("unauthenticated");
  });
});
