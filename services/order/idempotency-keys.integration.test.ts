import { Code } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";
import { describeEachDatabase } from "../runtime/testing/databases.ts";
import { startOrders } from "./testing/running-orders.ts";

describeEachDatabase("an idempotency key", (open) => {
  test("of HoldOrder is refused for CancelOrder before anything is cancelled", async () => {
    const { url } = await open<unknown>();
    await using world = await startOrders(url);
    const { name } = await world.confirmed();
    const held = await world.orders.holdOrder({ name, requestId: "k" });
    await expect(world.orders.cancelOrder({ name, requestId: "k" })).rejects.toMatchObject({
      code: Code.AlreadyExists,
    });
    expect(await world.orders.holdOrder({ name, requestId: "k" })).toEqual(held);
    expect(world.logistics.calls).not.toContain(`cancel shipments ${name}`);
    expect((await world.orders.getOrder({ name })).state).toBe(held.state);
  });

  test("that is blank is rejected", async () => {
    const { url } = await open<unknown>();
    await using world = await startOrders(url);
    const { name } = await world.place();
    const hold = world.orders.holdOrder({ name }, { headers: { "idempotency-key": '""' } });
    await expect(hold).rejects.toMatchObject({ code: Code.InvalidArgument });
    expect((await world.timeline(name)).map(({ type }) => type)).not.toContain("OrderHeld");
  });
});
