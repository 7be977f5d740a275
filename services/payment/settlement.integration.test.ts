import { expect, test } from "@jest/globals";
import { Payment_State, Refund_State } from "../../gen/docket/payment/v1/payment_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { cents, eur, type RunningPayments, startPayments } from "./testing/running-payments.ts";
import { createUnreliableProvider } from "./testing/unreliable-provider.ts";

describeEachDatabase("settling a payment", (open) => {
  const start = async (...more: Parameters<typeof startPayments> extends [string, ...infer Rest] ? Rest : never) =>
    startPayments((await open()).url, ...more);

  const name = "orders/o1/payments/1";
  const isIn = (world: RunningPayments, state: Payment_State) => async () => (await world.get(name)).state === state;
  const isRefunded = (world: RunningPayments) => async () => cents((await world.get(name)).refundedAmount) === 10_000;

  test("before it was opened leaves a tombstone that blocks every opening", async () => {
    await using world = await start();
    const settled = await world.payments.settlePayment({ name, reason: "cancelled" });
    expect(settled).toMatchObject({ state: Payment_State.VOIDED, settling: true });
    await world.payments.settlePayment({ name });
    await expect(world.open(name, "tok_success")).rejects.toThrow("voided before it was opened");
    expect(await world.sandbox.db.kysely.selectFrom("payments").selectAll().execute()).toEqual([]);
    expect(await world.get(name)).toMatchObject({ state: Payment_State.VOIDED });
  });

  test("voids an open payment", async () => {
    await using world = await start();
    await world.open(name, "");
    expect((await world.payments.settlePayment({ name })).state).toBe(Payment_State.VOIDED);
    await world.payments.settlePayment({ name });
    await until(() => world.events.length > 0);
    expect(world.events.map((event) => event.name)).toEqual(["PaymentVoided"]);
  });

  test("voids an authorized payment", async () => {
    await using world = await start();
    await world.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(world, Payment_State.AUTHORIZED));
    expect((await world.payments.settlePayment({ name })).state).toBe(Payment_State.VOIDED);
    await expect(world.payments.capturePayment({ name })).rejects.toThrow("VOIDED");
    await world.audit();
  });

  test("refunds a captured payment, once, with its reason", async () => {
    await using world = await start();
    await world.open(name, "tok_success");
    await until(isIn(world, Payment_State.CAPTURED));
    await Promise.all(Array.from({ length: 5 }, () => world.payments.settlePayment({ name, reason: "cancelled" })));
    await until(isRefunded(world));
    const { refunds } = await world.get(name);
    expect(refunds).toMatchObject([{ state: Refund_State.SUCCEEDED, reason: "cancelled" }]);
    await world.audit();
  });

  test("refunds the remaining captured amount, and voids the remaining authorization", async () => {
    await using world = await start();
    await world.open(name, "tok_success", { captureAutomatically: false });
    await until(isIn(world, Payment_State.AUTHORIZED));
    await world.payments.capturePayment({ name, amount: eur(6_000) });
    await world.payments.refundPayment({ name, amount: eur(1_000) });
    await world.payments.settlePayment({ name });
    await until(async () => cents((await world.get(name)).refundedAmount) === 6_000);
    expect((await world.get(name)).refunds.map((refund) => cents(refund.amount))).toEqual([1_000, 5_000]);
    await expect(world.payments.capturePayment({ name, amount: eur(1) })).rejects.toThrow("is being refunded");
    const steps = await world.sandbox.db.kysely.selectFrom("payment_steps").select("kind").execute();
    expect(steps.map(({ kind }) => kind)).toContain("voided");
    await world.audit();
  });

  test("refunds money that arrives later", async () => {
    await using world = await start({ sandbox: { lateMs: 50 } });
    await world.open(name, "tok_late_success", { ttl: { seconds: 2n } });
    const settled = await world.payments.settlePayment({ name });
    expect(settled).toMatchObject({ state: Payment_State.CREATED, settling: true });
    await until(isRefunded(world));
    await world.audit();
  });

  test("keeps money that arrives later if the caller requests it", async () => {
    await using world = await start({ sandbox: { lateMs: 50 } });
    await world.open(name, "tok_late_success", { ttl: { seconds: 2n } });
    const expired = await world.payments.settlePayment({ name, keepLateMoney: true });
    expect(expired).toMatchObject({ state: Payment_State.EXPIRED, settling: false });
    await until(isIn(world, Payment_State.CAPTURED));
    expect((await world.get(name)).refunds).toEqual([]);
    await world.payments.settlePayment({ name });
    await until(isRefunded(world));
    await world.audit();
  });

  test("refunds all money that was present at the request", async () => {
    await using world = await start();
    await world.open(name, "tok_success");
    await until(isIn(world, Payment_State.CAPTURED));
    await world.payments.settlePayment({ name, keepLateMoney: true });
    await until(isRefunded(world));
  });

  test("reports a failed refund until a person has resolved it", async () => {
    await using world = await start({ sandbox: { delayMs: 0 } });
    await world.open(name, "tok_refund_fails");
    await until(isIn(world, Payment_State.CAPTURED));
    await expect(world.payments.settlePayment({ name })).rejects.toThrow("100.00 EUR could not be refunded");
    await expect(world.payments.settlePayment({ name })).rejects.toThrow("100.00 EUR could not be refunded");
    expect((await world.get(name)).refunds).toHaveLength(1);
    await until(() => world.events.some((event) => event.name === "RefundFailed"));
    await world.audit();
  });

  test("retries rejected refunds only on request, once per request", async () => {
    const { provider, control } = createUnreliableProvider();
    const { url } = await open<unknown>();
    await using world = await startPayments(url, {}, { providers: [provider] });
    await world.open(name, "", { provider: provider.name });
    control.refusesRefunds = true;
    const refused = "100.00 EUR could not be refunded";
    await expect(world.payments.settlePayment({ name, retryRefused: true })).rejects.toThrow(refused);
    await expect(world.payments.settlePayment({ name })).rejects.toThrow(refused);
    expect((await world.get(name)).refunds).toHaveLength(1);
    await expect(world.payments.settlePayment({ name, retryRefused: true })).rejects.toThrow(refused);
    expect((await world.get(name)).refunds).toHaveLength(2);
    control.refusesRefunds = false;
    await expect(world.payments.settlePayment({ name })).rejects.toThrow(refused);
    const settled = await world.payments.settlePayment({ name, retryRefused: true });
    expect(settled.refunds.map(({ state }) => state)).toEqual([
      Refund_State.FAILED,
      Refund_State.FAILED,
      Refund_State.SUCCEEDED,
    ]);
    await world.audit();
  });

  test("keeps a declined payment unchanged", async () => {
    await using world = await start();
    await world.open(name, "tok_decline");
    expect((await world.payments.settlePayment({ name })).state).toBe(Payment_State.FAILED);
  });
});
