import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "@jest/globals";
import { Order_State } from "../../gen/docket/order/v1/order_pb.js";
import { startProgram } from "./support/program.ts";
import { stockTea, teaOrder, untilState } from "./support/shop.ts";
import { describeEachStorage } from "./support/start-docket.ts";

describeEachStorage("watching orders", (createStorage) => {
  test("sees every change once and in order, also while the program dies and stops", async () => {
    await using storage = await createStorage();
    const environment = { ...storage.environment, DOCKET_HTTP_PORT: `${await freePort()}` };
    let program = await startProgram(environment);
    const { docket } = program;
    await stockTea(docket, 60);

    // The first message of a stream says where it begins, before anything has happened.
    const [beginning] = await Array.fromAsync(take(1, docket.orders.watchOrders({}, { timeoutMs: 0 })));
    expect(beginning?.event).toBeUndefined();
    const resumeToken = beginning?.resumeToken ?? "";

    const seen = new Map<string, number[]>();
    const leave = new AbortController();
    const watching = (async () => {
      for await (const { event, order } of docket.watchOrders(
        { resumeToken },
        { signal: leave.signal, reconnectMs: 20 },
      )) {
        const name = order?.name ?? "";
        seen.set(name, [...(seen.get(name) ?? []), Number(event?.sequence)]);
      }
    })();

    const names: string[] = [];
    const place = async (count: number) => {
      const orders = Array.from({ length: count }, async () => docket.orders.createOrder({ order: teaOrder() }));
      names.push(...(await Promise.all(orders)).map(({ name }) => name));
    };
    await place(1);
    await place(20);
    await program.kill();
    program = await startProgram(environment);
    await place(20);
    expect(await program.stop()).toBe(0);
    program = await startProgram(environment);
    await using running = program;
    await place(10);
    for (const name of names) {
      await untilState(running.docket, name, [Order_State.COMPLETED], 60_000);
    }

    const expected = new Map<string, number[]>();
    for (const name of names) {
      const events = await Array.fromAsync(running.docket.listOrderEvents({ parent: name }));
      expected.set(
        name,
        events.map(({ sequence }) => Number(sequence)),
      );
    }
    const complete = () => names.every((name) => (seen.get(name)?.length ?? 0) >= (expected.get(name)?.length ?? 0));
    for (let i = 0; i < 200 && !complete(); i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    leave.abort();
    await watching;
    expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected));
  }, 120_000);
});

async function* take<T>(count: number, messages: AsyncIterable<T>): AsyncGenerator<T> {
  let left = count;
  for await (const message of messages) {
    yield message;
    left -= 1;
    if (left === 0) return;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
