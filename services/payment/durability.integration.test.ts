import { Code, ConnectError } from "@connectrpc/connect";
import { beforeAll, expect, test } from "@jest/globals";
import { context, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { Payment_State } from "../../gen/docket/payment/v1/payment_pb.js";
import { contextOf } from "../runtime/telemetry/tracing.ts";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { until } from "../runtime/testing/until.ts";
import { cents, eur, type RunningPayments, startPayments } from "./testing/running-payments.ts";
import { createUnreliableProvider, type Mishap } from "./testing/unreliable-provider.ts";

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
});

describeEachDatabase("operations at a provider that fails", (open) => {
  const name = "orders/o1/payments/1";
  const isIn = (world: RunningPayments, state: Payment_State) => async () => (await world.get(name)).state === state;
  const start = async () => {
    const { url } = await open();
    const unreliable = createUnreliableProvider();
    const more = { providerTimeoutMs: 150, retryMaxMs: 50 };
    const run = () => startPayments(url, more, { providers: [unreliable.provider] });
    return { ...unreliable, run };
  };
  const manual = { provider: "unreliable", captureAutomatically: false };

  test.each<Mishap>(["lost request", "lost answer", "silence"])(
    "an opening with a %s is repeated under its key",
    async (mishap) => {
      const { run, mishaps, calls, payments } = await start();
      await using world = await run();
      mishaps.push(mishap, mishap);
      const error = await world.open(name, "tok", manual).catch((reason: unknown) => ConnectError.from(reason));
      expect(error).toMatchObject({ code: Code.Unavailable });
      await until(isIn(world, Payment_State.AUTHORIZED));
      expect(calls).toEqual(Array(3).fill("t1/orders/o1/payments/1/open/1"));
      expect(payments.size).toBe(1);
      expect((await world.open(name, "tok", manual)).state).toBe(Payment_State.AUTHORIZED);
      expect(calls).toHaveLength(3);
      await world.audit();
    },
  );

  test("a payment that its provider no longer knows ends FAILED or VOIDED, its pending refunds fail, and money stays booked", async () => {
    const { url } = await open();
    await using world = await startPayments(url, { reconcileAfterMs: 50, sandbox: { delayMs: 20 } });
    const of = (order: string) => `orders/${order}/payments/1`;
    const stateOf = async (order: string) => Payment_State[(await world.get(of(order))).state];
    await world.open(of("unpaid"), "tok_timeout");
    await world.open(of("settled"), "tok_timeout");
    await world.open(of("held"), "tok_success", { captureAutomatically: false });
    await world.open(of("paid"), "tok_success");
    await until(async () => (await stateOf("paid")) === "CAPTURED" && (await stateOf("held")) === "AUTHORIZED");
    const kysely = world.sandbox.db.kysely;
    for (const table of ["payment_steps", "payments"] as const) {
      await kysely.deleteFrom(table).execute();
    }
    await world.payments.settlePayment({ name: of("settled") });
    await expect(world.payments.capturePayment({ name: of("held") })).rejects.toThrow("does not exist");
    await expect(world.payments.refundPayment({ name: of("paid") })).rejects.toThrow("does not exist");
    await until(async () => (await stateOf("unpaid")) === "FAILED" && (await stateOf("settled")) === "FAILED");
    expect((await world.get(of("unpaid"))).failureMessage).toBe("sandbox does not know the payment");
    expect(await world.get(of("paid"))).toMatchObject({ state: Payment_State.CAPTURED, refunds: [{ state: 3 }] });
    expect(cents((await world.get(of("paid"))).capturedAmount)).toBe(10_000);
    await world.audit();
  });

  test("an opening whose process crashed between its commit and the call is resumed", async () => {
    const { run, mishaps, payments } = await start();
    const dead = await run();
    // The crashed process's own retries are lost too, however many it manages.
    mishaps.push(...Array<Mishap>(1_000).fill("lost request"));
    await dead.open(name, "tok", manual).catch(() => {});
    await dead[Symbol.asyncDispose]();
    mishaps.length = 0;
    expect(payments.size).toBe(0);
    await using world = await run();
    await until(isIn(world, Payment_State.AUTHORIZED));
    expect(payments.size).toBe(1);
  });

  test("an opening that is repeated belongs to the trace of its caller for an hour", async () => {
    const { url } = await open();
    const { provider, mishaps } = createUnreliableProvider();
    const traces: (string | undefined)[] = [];
    const traced: typeof provider = {
      ...provider,
      open(...call) {
        traces.push(trace.getActiveSpan()?.spanContext().traceId);
        return provider.open(...call);
      },
    };
    const more = { providerTimeoutMs: 150, retryMaxMs: 50 };
    await using world = await startPayments(url, more, { providers: [traced] });
    const caller = "0af7651916cd43dd8448eb211c80319c";
    const within = contextOf({ traceparent: `00-${caller}-b7ad6b7169203331-01` });
    mishaps.push(...Array<Mishap>(1_000).fill("lost request"));
    await context.with(within, () => world.open(name, "tok", manual)).catch(() => {});
    await until(() => traces.length >= 3);
    expect(new Set(traces)).toEqual(new Set([caller]));

    await world.db.kysely
      .updateTable("payment_operations")
      .set(({ eb }) => ({ created_at: eb("created_at", "-", 3_600_000) }))
      .execute();
    mishaps.length = 0;
    await until(isIn(world, Payment_State.AUTHORIZED));
    expect(traces.at(-1)).not.toBe(caller);
  });

  test("a capture whose response was lost happens once, and its caller receives the result", async () => {
    const { run, mishaps, payments, calls } = await start();
    await using world = await run();
    await world.open(name, "tok", manual);
    mishaps.push("lost answer");
    const capture = { name, amount: eur(4_000), requestId: "k1" };
    await expect(world.payments.capturePayment(capture)).rejects.toThrow("is not responding");
    const answer = await world.payments.capturePayment(capture);
    expect(cents(answer.capturedAmount)).toBe(4_000);
    expect((await world.payments.capturePayment(capture)).etag).toBe(answer.etag);
    expect([...payments.values()].map((payment) => payment.captured)).toEqual([4_000n]);
    expect(new Set(calls).size).toBe(2);
    await world.audit();
  });

  test("a refund whose response was lost happens once, without a retry by its caller", async () => {
    const { run, mishaps, payments } = await start();
    await using world = await run();
    await world.open(name, "tok", { ...manual, captureAutomatically: true });
    mishaps.push("lost answer", "lost request", "silence");
    await expect(world.payments.refundPayment({ name, amount: eur(4_000) })).rejects.toThrow("is not responding");
    await expect(world.payments.refundPayment({ name, amount: eur(7_000) })).rejects.toThrow("60.00 EUR is left");
    await until(async () => cents((await world.get(name)).refundedAmount) === 4_000);
    expect([...payments.values()][0]?.refunds).toHaveLength(1);
    await world.audit();
  });

  test("while a capture's outcome is unknown nothing else starts, and a settlement waits for it", async () => {
    const { run, mishaps } = await start();
    await using world = await run();
    await world.open(name, "tok", manual);
    mishaps.push("lost answer", "lost answer");
    await expect(world.payments.capturePayment({ name })).rejects.toThrow("is not responding");
    await expect(world.payments.voidPayment({ name })).rejects.toThrow(/another operation|CAPTURED/);
    await world.payments.settlePayment({ name }).catch(() => {});
    await until(async () => cents((await world.get(name)).refundedAmount) === 10_000);
    await world.audit();
  });

  test("a settlement of an opening with an unknown outcome voids it once the outcome is known", async () => {
    const { run, mishaps } = await start();
    await using world = await run();
    // More than the worker's own attempts can use up before the settlement.
    mishaps.push("lost answer", ...Array<Mishap>(1_000).fill("lost request"));
    await world.open(name, "tok", manual).catch(() => {});
    await expect(world.payments.settlePayment({ name })).rejects.toThrow("is not responding");
    mishaps.length = 0;
    await until(isIn(world, Payment_State.VOIDED));
    await world.payments.settlePayment({ name });
    await world.audit();
  });

  test("money that a service settled before a crash is refunded by the next one", async () => {
    const { run, mishaps } = await start();
    const dead = await run();
    await dead.open(name, "tok", { ...manual, captureAutomatically: true });
    mishaps.push("lost answer");
    await expect(dead.payments.settlePayment({ name })).rejects.toThrow("is not responding");
    await dead[Symbol.asyncDispose]();
    await using world = await run();
    await until(async () => cents((await world.get(name)).refundedAmount) === 10_000);
    expect((await world.get(name)).refunds).toHaveLength(1);
    await world.audit();
  });
});
