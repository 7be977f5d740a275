import { expect, test } from "@jest/globals";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { startProgram } from "./support/program.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { describeEachStorage } from "./support/start-docket.ts";

const count = 200;
const unitPrice = 450n;

describeEachStorage("killed in the middle of 200 orders", (createStorage) => {
  test("every order goes on from where it was, once", async () => {
    await using storage = await createStorage();
    let program = await startProgram(storage.environment);
    await stockTea(program.docket, count);

    // Orders come as fast as they are answered, each under a key of its own, and the program dies under them three times.
    const names = new Map<number, string>();
    for (const killAfter of [30, 80, 120]) {
      const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !names.has(i));
      const queue = missing.values();
      const buyers = Array.from({ length: 16 }, async () => {
        for (const i of queue) {
          const order = teaOrder({ externalId: `o-${i}` });
          const { name } = await program.docket.orders.createOrder({ order, requestId: `key-${i}` });
          names.set(i, name);
          if (names.size >= killAfter) {
            throw new Error("the program is to die now");
          }
        }
      });
      await Promise.race(buyers).catch(() => {});
      await program.kill();
      await Promise.allSettled(buyers);
      program = await startProgram(storage.environment);
    }
    await using running = program;
    const { docket } = running;

    // What was acknowledged is there; repeating everything under its key makes nothing twice.
    for (const [i, name] of names) {
      expect((await docket.orders.lookupOrder({ externalId: `o-${i}` })).name).toBe(name);
    }
    await Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const { name } = await docket.orders.createOrder({
          order: teaOrder({ externalId: `o-${i}` }),
          requestId: `key-${i}`,
        });
        expect(name).toBe(names.get(i) ?? name);
      }),
    );
    const orders = await Array.fromAsync(docket.listOrders({ pageSize: 500 }));
    expect(orders).toHaveLength(count);
    for (const { name } of orders) {
      await untilState(docket, name, [Order_State.COMPLETED], 60_000);
    }

    // The books: every unit left the warehouse once, and every order was paid once.
    const item = await docket.items.getItem({ name: "items/TEA" });
    expect(item).toMatchObject({ stockOnHand: 0n, stockReserved: 0n });
    const payments = await Array.fromAsync(docket.listPayments({ parent: "orders/-", pageSize: 500 }));
    expect(payments).toHaveLength(count);
    const captured = payments.reduce((sum, { capturedAmount }) => sum + cents(capturedAmount), 0n);
    expect(captured).toBe(unitPrice * BigInt(count));
  }, 240_000);
});

function cents(amount: { units: bigint; nanos: number } | undefined): bigint {
  return amount === undefined ? 0n : amount.units * 100n + BigInt(amount.nanos / 10_000_000);
}
