import { expect, test } from "@jest/globals";
import { Automation, Order_State, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { until } from "../runtime/testing/until.ts";
import { eur } from "./testing/eur.ts";
import { type RunningOrders, startOrders } from "./testing/running-orders.ts";

describeEachDatabase("cancelling lines of an order", (open) => {
  /** A confirmed order of two units of 4.50 EUR with manual fulfillment. */
  const start = async () => {
    const world = await startOrders((await open<unknown>()).url);
    const { name } = await world.confirmed({ fulfillment: Automation.MANUAL });
    const cancel = (quantity: number, requestId = "") =>
      world.orders.cancelOrderLines({ name, lines: [{ lineItemId: "1", quantity }], requestId });
    return { world, name, cancel };
  };
  const typesOf = async (world: RunningOrders, name: string) => (await world.timeline(name)).map(({ type }) => type);
  const stateOf = async (world: RunningOrders, name: string) => (await world.orders.getOrder({ name })).state;

  test("releases the stock and refunds the money once, however often the request is repeated under one key", async () => {
    const { world: opened, name, cancel } = await start();
    await using world = opened;
    const cancelled = await cancel(1, "k");
    expect(cancelled).toMatchObject({
      state: Order_State.CONFIRMED,
      paymentState: PaymentState.OVERPAID,
      total: eur(900),
      cancelledTotal: eur(450),
      lineItems: [{ quantity: 2, quantityCancelled: 1 }],
    });
    expect(await cancel(1, "k")).toEqual(cancelled);
    await until(async () => (await typesOf(world, name)).includes("LinesGivenBack"));
    await until(async () => (await world.orders.getOrder({ name })).paymentState === PaymentState.PAID);
    expect(world.payment.calls.filter((call) => call.startsWith("refund"))).toEqual([`refund ${name}/payments/1 4.50`]);
    const reservation = name.replace("orders/", "reservations/");
    expect(world.inventory.calls).toContain(`resize ${reservation} to TEA:1 at most`);
    expect(await refusal(cancel(1))).toMatchObject({ code: "FailedPrecondition", reason: "NOTHING_LEFT" });
  });

  test("completes an order whose other units were delivered", async () => {
    const { world: opened, name, cancel } = await start();
    await using world = opened;
    await world.logistics.created("t1", `${name}/shipments/1`, { "1": 1 });
    await world.logistics.delivered("t1", `${name}/shipments/1`);
    await until(async () => (await world.orders.getOrder({ name })).lineItems[0]?.quantityDelivered === 1);
    expect(await refusal(cancel(2))).toMatchObject({ reason: "QUANTITY_EXCEEDED" });
    await cancel(1);
    await world.reaches(name, "COMPLETED");
  });

  test("needs attention if the provider rejects the refund, and resumes once the refund is accepted", async () => {
    const { world: opened, name, cancel } = await start();
    await using world = opened;
    world.payment.control.refusesRefunds = true;
    await cancel(1);
    expect((await world.reaches(name, "NEEDS_ATTENTION")).attentionMessage).toContain("the account is closed");
    expect(await refusal(cancel(1))).toMatchObject({ code: "Aborted", reason: "LINES_BEING_CANCELLED" });
    world.payment.control.refusesRefunds = false;
    await until(async () => (await typesOf(world, name)).includes("LinesGivenBack"));
    if ((await stateOf(world, name)) === Order_State.NEEDS_ATTENTION) {
      await world.orders.releaseOrder({ name });
    }
    expect(await world.reaches(name, "CONFIRMED")).toMatchObject({ paymentState: PaymentState.PAID });
  });

  test("is rejected before the order is confirmed", async () => {
    await using world = await startOrders((await open<unknown>()).url);
    const { name } = await world.place({}, { wait: { seconds: 10n } });
    const lines = [{ lineItemId: "1", quantity: 1 }];
    expect(await refusal(world.orders.cancelOrderLines({ name, lines }))).toMatchObject({
      code: "FailedPrecondition",
      reason: "ORDER_STATE",
    });
  });
});
