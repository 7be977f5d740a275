import { expect, test } from "@jest/globals";
import { sql } from "kysely";
import { SkippedOrder_Reason as Reason } from "../../gen/docket/order/v1/customer_service_pb.js";
import { Order_State, PaymentState } from "../../gen/docket/order/v1/order_pb.js";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { refusal } from "../runtime/testing/refusal.ts";
import { until } from "../runtime/testing/until.ts";
import { systemClock } from "../runtime/values/clock.ts";
import { createIds } from "../runtime/values/ids.ts";
import { startOrders } from "./testing/running-orders.ts";

const wait = { seconds: 30n };

describeEachDatabase("AnonymizeCustomer", (open) => {
  const start = async (...options: [Parameters<typeof startOrders>[1]?]) =>
    startOrders((await open<unknown>()).url, ...options);

  test("refunds a late payment of an anonymized order", async () => {
    await using world = await start({ paymentDeadlineMs: 200 });
    const { name } = await world.place({}, { wait });
    await world.reaches(name, "EXPIRED");
    const { anonymizedOrders } = await world.customers.anonymizeCustomer({ email: "Ada@Example.com", wait });
    expect(anonymizedOrders).toMatchObject([{ order: name, done: true }]);
    await world.payment.capture(`${name}/payments/1`, 900);
    await until(async () => (await world.orders.getOrder({ name })).paymentState === PaymentState.REFUNDED);
    expect((await world.orders.getOrder({ name })).state).toBe(Order_State.EXPIRED);
  });

  test("anonymizes one hundred orders per request, and the rest in the next", async () => {
    await using world = await start();
    const { name } = await world.place({}, { wait });
    await world.reaches(name, "AWAITING_PAYMENT");
    const stored = await world.db.kysely.selectFrom("orders").selectAll().executeTakeFirstOrThrow();
    const { customer_email: _, ...row } = stored;
    const ids = createIds(systemClock);
    const copies = Array.from({ length: 101 }, () => ({ ...row, id: ids.next() }));
    await world.db.kysely.insertInto("orders").values(copies).execute();
    const busy = await world.customers.anonymizeCustomer({ customerId: "c1" });
    expect(busy).toMatchObject({ anonymizedOrders: [], hasMore: false });
    expect(busy.skippedOrders).toHaveLength(100);
    expect(busy.skippedOrders[0]?.reason).toBe(Reason.NOT_ENDED);

    await sql`update orders set state = 'CANCELLED'`.execute(world.db.kysely);
    const first = await world.customers.anonymizeCustomer({ customerId: "c1" });
    expect(first.anonymizedOrders).toHaveLength(100);
    expect(first.hasMore).toBe(true);
    const second = await world.customers.anonymizeCustomer({ customerId: "c1" });
    expect(second.anonymizedOrders).toHaveLength(2);
    expect(second.hasMore).toBe(false);
    expect(await world.customers.anonymizeCustomer({ customerId: "c1" })).toMatchObject({ anonymizedOrders: [] });
  });

  test("rejects a request that names no customer", async () => {
    await using world = await start();
    expect(await refusal(world.customers.anonymizeCustomer({ email: " " }))).toMatchObject({ code: "InvalidArgument" });
    const strange = await world.customers.anonymizeCustomer({ customerId: "[erased]", orders: ["orders/x"] });
    expect(strange).toMatchObject({ anonymizedOrders: [], skippedOrders: [{ order: "orders/x" }] });
  });
});
